"""The softmax-weighted mean over a window."""

from __future__ import annotations

import torch

from passes.statistics.softmax_mean import door, formula, operator  # noqa: F401
from passes.statistics.statistic import Operator, Statistic

SOFTMAX_MEAN = Statistic(
    operators=(Operator(torch.ops.tlc.local_softmax_mean.default, formula=formula.local_softmax_mean),),
    door=door.match,
)
