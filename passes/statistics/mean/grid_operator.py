"""``tlc::grid_mean``: the mean over the full windows at the nodes of a grid (:mod:`passes.operators.grid_nodes`).

Each is exact. ``tlc::grid_spread`` interpolates between them.
"""

from __future__ import annotations

import torch

from passes.operators.box_sum import box_sum
from passes.operators.grid_nodes import at_nodes, grid_like
from passes.operators.window import effective


@torch.library.custom_op("tlc::grid_mean", mutates_args=())
def grid_mean(x: torch.Tensor, window_height: int, window_width: int, ratio: int) -> torch.Tensor:
    """Means [N, C, gh, gw] of x [N, C, H, W] over windows of min(window, size) pixels per axis.

    Same dtype as x; sums are float64.

    Raises:
        ValueError: if a window is less than 1 pixel long, or ``ratio`` less than 1.
    """
    height, width = x.shape[-2:]
    area = effective(window_height, height) * effective(window_width, width)
    sums = at_nodes(box_sum(x, window_height, window_width), window_height, window_width, ratio)
    return (sums / area).to(x.dtype)


@grid_mean.register_fake
def _(x: torch.Tensor, window_height: int, window_width: int, ratio: int) -> torch.Tensor:
    return grid_like(x, window_height, window_width, ratio)
