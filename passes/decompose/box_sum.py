"""Sums over every full window in ATen, O(HW) whatever the window.

    difference form:    box = cumsum(cat(sum(x[:k]), x[k:] - x[:-k]))        k = min(window, size)

The running sum carries window sums instead of prefix sums, so its rounding error stays that of one window:
float32 suffices for means.
"""

from __future__ import annotations

import torch
from torch import Tensor

from passes.decompose.axis import COLUMNS, ROWS, covered, run, size

aten = torch.ops.aten


def area(x: Tensor, window_height: int, window_width: int) -> int:
    """Pixels in one window, kh * kw."""
    return covered(x, ROWS, window_height) * covered(x, COLUMNS, window_width)


def box_sum(x: Tensor, window_height: int, window_width: int) -> Tensor:
    """Window sums [N, C, H-kh+1, W-kw+1] of x [N, C, H, W], in the dtype of x."""
    return sum_along(sum_along(x, ROWS, window_height), COLUMNS, window_width)


def sum_along(x: Tensor, axis: int, window: int) -> Tensor:
    """Sums over every run of k elements of ``axis``."""
    if window == 1:
        return x
    first, entering, leaving = split(x, axis, window)
    return running_sum(total(first, axis), aten.sub.Tensor(entering, leaving), axis)


def split(x: Tensor, axis: int, window: int) -> tuple[Tensor, Tensor, Tensor]:
    """The k elements of the first window, and those that enter and that leave as it moves to the end."""
    k = covered(x, axis, window)
    moves = size(x, axis) - k
    return run(x, axis, 0, k), run(x, axis, k, moves), run(x, axis, 0, moves)


def total(x: Tensor, axis: int) -> Tensor:
    """The sum over ``axis``, which stays with one element."""
    return aten.sum.dim_IntList(x, [axis], True)


def running_sum(first: Tensor, steps: Tensor, axis: int) -> Tensor:
    """``first``, of one element, and its running total with ``steps`` along ``axis``."""
    return aten.cumsum.default(aten.cat.default([first, steps], axis), axis)
