"""The variance over a window, and the standard deviation."""

from __future__ import annotations

import torch

from passes.statistics.statistic import Operator, Statistic
from passes.statistics.variance import door, formula, grid_operator, operator, running_sums, separated  # noqa: F401

tlc = torch.ops.tlc

VARIANCE = Statistic(
    operators=(
        Operator(
            tlc.local_variance.default,
            formula=formula.local_variance,
            running_sums=running_sums.local_variance,
            is_plane_by_plane=True,
        ),
        Operator(
            tlc.grid_variance.default,
            formula=formula.grid_variance,
            running_sums=running_sums.grid_variance,
            exact=tlc.local_variance.default,
            is_plane_by_plane=True,
        ),
    ),
    door=door.match,
    separated=separated.SEPARATED,
)
