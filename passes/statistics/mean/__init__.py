"""The mean over a window, and the sum: the local form of global average pooling."""

from __future__ import annotations

import torch

from passes.statistics.mean import (
    door,
    formula,
    grid_operator,  # noqa: F401
    operator,  # noqa: F401
    running_sums,
    separated,
    spellings,
)
from passes.statistics.statistic import Operator, Statistic

tlc = torch.ops.tlc

MEAN = Statistic(
    operators=(
        Operator(
            tlc.local_mean.default,
            formula=formula.local_mean,
            running_sums=running_sums.local_mean,
            is_average=True,
            is_plane_by_plane=True,
        ),
        Operator(
            tlc.grid_mean.default,
            formula=formula.grid_mean,
            running_sums=running_sums.grid_mean,
            exact=tlc.local_mean.default,
            is_average=True,
        ),
    ),
    door=door.match,
    separated=separated.SEPARATED,
    spelled=spellings.spelled,
    composing=(torch.ops.aten.mean.dim, torch.ops.aten.sum.dim_IntList),
)
