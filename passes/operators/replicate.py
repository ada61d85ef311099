"""``tlc::replicate``: an interior back to the size of its map, each border pixel taking the nearest window.

It commutes with every pointwise operation, so it runs once, where a window meets pixels again.
"""

from __future__ import annotations

import torch
from torch.nn import functional


@torch.library.custom_op("tlc::replicate", mutates_args=())
def replicate(interior: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Edge-pads interior [N, C, h, w] to [N, C, height, width]; any dtype.

    (height - h) // 2 rows go on top and (width - w) // 2 columns on the left, the rest opposite:
    for an interior of windows of k pixels, (k - 1) // 2.

    Raises:
        ValueError: if the interior is larger than height x width.
    """
    rows, columns = interior.shape[-2:]
    missing_rows, missing_columns = height - rows, width - columns
    if missing_rows < 0 or missing_columns < 0:
        raise ValueError(f"an interior of {rows}x{columns} does not fit in {height}x{width}")
    if missing_rows == missing_columns == 0:
        return interior.clone()
    top, left = missing_rows // 2, missing_columns // 2
    padding = (left, missing_columns - left, top, missing_rows - top)
    return functional.pad(interior, padding, mode="replicate")


@replicate.register_fake
def _(interior: torch.Tensor, height: int, width: int) -> torch.Tensor:
    batch, channels, _, _ = interior.shape
    return interior.new_empty(batch, channels, height, width)
