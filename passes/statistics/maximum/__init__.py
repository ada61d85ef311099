"""The maximum of a window, and the minimum."""

from __future__ import annotations

import torch

from passes.statistics.maximum import door, formula, operator, separated  # noqa: F401
from passes.statistics.statistic import Operator, Statistic

MAXIMUM = Statistic(
    operators=(Operator(torch.ops.tlc.local_max.default, formula=formula.local_max, is_plane_by_plane=True),),
    door=door.match,
    separated=separated.SEPARATED,
    composing=(torch.ops.aten.amax.default, torch.ops.aten.amin.default),
)
