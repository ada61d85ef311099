"""``tlc::spread_product``: a map times a grid that is spread to its size.

spread_product(x, grid, ...) = x * grid_spread(grid, H, W, ...)
"""

from __future__ import annotations

import torch

from passes.operators.grid_spread import grid_spread


@torch.library.custom_op("tlc::spread_product", mutates_args=())
def spread_product(
    x: torch.Tensor, grid: torch.Tensor, window_height: int, window_width: int, ratio: int
) -> torch.Tensor:
    """x [N, C, H, W] times grid [N, C, gh, gw] spread over H x W; same dtype.

    Raises:
        ValueError: if this is not the grid of a map of H x W with these windows and ratio.
    """
    return x * grid_spread(grid, *x.shape[2:], window_height, window_width, ratio)


@spread_product.register_fake
def _(x: torch.Tensor, grid: torch.Tensor, window_height: int, window_width: int, ratio: int) -> torch.Tensor:
    return x.new_empty(x.shape)
