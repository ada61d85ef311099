"""Instance, group and layer normalisation over a window."""

from __future__ import annotations

import torch

from passes.statistics.normalize import door, formula, grid_operator, operator, running_sums  # noqa: F401
from passes.statistics.statistic import Operator, Statistic, Whole

tlc = torch.ops.tlc

NORMALIZE = Statistic(
    operators=(
        Operator(
            tlc.local_normalize.default,
            formula=formula.local_normalize,
            running_sums=running_sums.local_normalize,
            is_plane_by_plane=True,
        ),
        Operator(
            tlc.grid_normalize.default,
            formula=formula.grid_normalize,
            running_sums=running_sums.grid_normalize,
            exact=tlc.local_normalize.default,
            is_plane_by_plane=True,
        ),
    ),
    whole=Whole(door.match, door.normalize_locally, has_grid_form=True),
)
