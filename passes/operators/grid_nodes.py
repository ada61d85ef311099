"""The grid approximate statistics are taken on: every ``spacing``-th window, and the last one.

    spacing = max(1, window // ratio)                     per axis, so neighbours share most of their pixels
    starts  = 0, spacing, 2*spacing, ..., size - k        k = min(window, size)

The first and the last full window are nodes, so between nodes everything is interpolation. A map that fits its
window has one node; at spacing 1 every full window is one, and the grid is the interior.
"""

from __future__ import annotations

import torch

from passes.operators.window import interior_like


def spacing(window: int, ratio: int) -> int:
    """Pixels between neighbouring nodes.

    Raises:
        ValueError: if ``ratio`` is less than 1.
    """
    if ratio < 1:
        raise ValueError(f"the grid must have at least 1 node per window, not {ratio}")
    return max(1, window // ratio)


def starts(interior: int, window: int, ratio: int, device: torch.device) -> torch.Tensor:
    """First pixel of the window of each node on an axis of ``interior`` full windows, int64 [nodes]."""
    regular = torch.arange(0, interior - 1, spacing(window, ratio), device=device)
    return torch.cat([regular, regular.new_tensor([interior - 1])])


def at_nodes(interior: torch.Tensor, window_height: int, window_width: int, ratio: int) -> torch.Tensor:
    """The nodes [N, C, gh, gw] of an interior [N, C, h, w]."""
    rows = starts(interior.shape[-2], window_height, ratio, interior.device)
    columns = starts(interior.shape[-1], window_width, ratio, interior.device)
    return interior.index_select(-2, rows).index_select(-1, columns)


def grid_like(x: torch.Tensor, window_height: int, window_width: int, ratio: int) -> torch.Tensor:
    """An uninitialised grid [N, C, gh, gw] of x [N, C, H, W]; H and W may be symbolic."""
    batch, channels, *interior = interior_like(x, window_height, window_width).shape
    rows, columns = (
        (length - 2 + step) // step + 1
        for length, step in zip(
            interior, (spacing(window_height, ratio), spacing(window_width, ratio)), strict=True
        )
    )
    return x.new_empty(batch, channels, rows, columns)
