"""``tlc::grid_variance``: the biased variance of the full windows at the nodes of a grid.

Each is exact and safe where the map is flat, see :mod:`passes.statistics.variance.operator`.
"""

from __future__ import annotations

import torch

from passes.operators.grid_nodes import at_nodes, grid_like
from passes.statistics.variance.operator import local_variance


@torch.library.custom_op("tlc::grid_variance", mutates_args=())
def grid_variance(x: torch.Tensor, window_height: int, window_width: int, ratio: int) -> torch.Tensor:
    """Biased variances [N, C, gh, gw] of x [N, C, H, W] over windows of min(window, size) pixels per axis.

    Same dtype as x, never negative; computed in float64.

    Raises:
        ValueError: if a window is less than 1 pixel long, or ``ratio`` less than 1.
    """
    return at_nodes(local_variance(x, window_height, window_width), window_height, window_width, ratio)


@grid_variance.register_fake
def _(x: torch.Tensor, window_height: int, window_width: int, ratio: int) -> torch.Tensor:
    return grid_like(x, window_height, window_width, ratio)
