"""``tlc::grid_spread``: a grid of statistics back to the size of its map, linearly between its nodes.

    spread = rows @ grid @ columns^T        rows [H, gh], columns [W, gw]

Pixel p takes the window that starts at clamp(p - (k-1)//2, 0, size-k), as in ``tlc::replicate``; a row of the
matrices holds the weights of the nodes before and after that start. They are not negative and add up to 1.
"""

from __future__ import annotations

import torch

from passes.operators.grid_nodes import starts
from passes.operators.window import effective


@torch.library.custom_op("tlc::grid_spread", mutates_args=())
def grid_spread(
    grid: torch.Tensor, height: int, width: int, window_height: int, window_width: int, ratio: int
) -> torch.Tensor:
    """Spreads grid [N, C, gh, gw] over [N, C, height, width]; same dtype, computed in float64.

    Raises:
        ValueError: if this is not the grid of a map of height x width with these windows and ratio.
    """
    rows = interpolation(height, window_height, ratio, grid.device)
    columns = interpolation(width, window_width, ratio, grid.device)
    if grid.shape[-2:] != (rows.shape[1], columns.shape[1]):
        raise ValueError(
            f"a map of {height}x{width} has {rows.shape[1]}x{columns.shape[1]} nodes, "
            f"not {grid.shape[-2]}x{grid.shape[-1]}"
        )
    return (rows @ grid.double() @ columns.T).to(grid.dtype)


@grid_spread.register_fake
def _(
    grid: torch.Tensor, height: int, width: int, window_height: int, window_width: int, ratio: int
) -> torch.Tensor:
    batch, channels, _, _ = grid.shape
    return grid.new_empty(batch, channels, height, width)


def interpolation(size: int, window: int, ratio: int, device: torch.device) -> torch.Tensor:
    """Weights of the nodes for each pixel of an axis, float64 [size, nodes]."""
    k = effective(window, size)
    node = starts(size - k + 1, window, ratio, device)
    pixel = torch.arange(size, device=device)
    start = (pixel - (k - 1) // 2).clamp(0, size - k)
    before = (torch.searchsorted(node, start, right=True) - 1).clamp(max=max(len(node) - 2, 0))
    after = (before + 1).clamp(max=len(node) - 1)
    share = (start - node[before]) / (node[after] - node[before]).clamp(min=1).double()
    weights = torch.zeros(size, len(node), dtype=torch.float64, device=device)
    weights[pixel, after] = share
    weights[pixel, before] += 1 - share
    return weights
