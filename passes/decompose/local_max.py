"""``tlc::local_max`` in ATen: maxima over 1, 2, 4 ... min(2^j, k) pixels.

The window sets the number of steps; where k = min(window, size) is smaller, the last ones shift by 0 and
change nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from passes.decompose.axis import COLUMNS, ROWS, covered, run, size, smaller

aten = torch.ops.aten


def local_max(x: Tensor, window_height: int, window_width: int) -> Tensor:
    """Interior of maxima [N, C, H-kh+1, W-kw+1] of x [N, C, H, W], exact."""
    if window_height == window_width == 1:
        return aten.clone.default(x)
    return _max_along(_max_along(x, ROWS, window_height), COLUMNS, window_width)


def _max_along(x: Tensor, axis: int, window: int) -> Tensor:
    length, k = size(x, axis), covered(x, axis, window)
    reached, now_reached, pixels = 1, 1, 1
    while pixels < window:
        pixels *= 2
        now_reached = smaller(k, pixels)
        interior = length - now_reached + 1
        early, late = run(x, axis, 0, interior), run(x, axis, now_reached - reached, interior)
        x, reached = aten.maximum.default(early, late), now_reached
    return x
