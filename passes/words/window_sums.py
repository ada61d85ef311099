"""Sums over every full window, O(HW) whatever the window.

    difference form:    box = cumsum(cat(sum(x[:k]), x[k:] - x[:-k]))        k = min(window, size)

The running sum carries window sums instead of prefix sums, so its rounding error stays that of one window:
float32 suffices for means.
"""

from __future__ import annotations

from passes.words.words import COLUMNS, END, ROWS, Map, Size, Words


def area(w: Words, x: Map, window_height: int, window_width: int) -> Size:
    """Pixels in one window, kh * kw."""
    return w.times(w.covered(x, ROWS, window_height), w.covered(x, COLUMNS, window_width))


def box_sum(w: Words, x: Map, window_height: int, window_width: int, double: bool = False) -> Map:
    """Window sums [N, C, H-kh+1, W-kw+1] of x [N, C, H, W], in the type of x; ``double`` says it is float64."""
    return sum_along(w, sum_along(w, x, ROWS, window_height, double), COLUMNS, window_width, double)


def sum_along(w: Words, x: Map, axis: int, window: int, double: bool = False) -> Map:
    """Sums over every run of k elements of ``axis``."""
    if window == 1:
        return x

    def sums(x: Map, axis: int) -> Map:
        first, entering, leaving = split(w, x, axis, window)
        return w.running_sum(w.total(first, axis, double), w.subtract(entering, leaving), axis)

    return w.along(axis, sums, x)


def split(w: Words, x: Map, axis: int, window: int) -> tuple[Map, Map, Map]:
    """The k elements of the first window, and those that enter and that leave as it moves to the end."""
    k = w.covered(x, axis, window)
    moves = w.less(w.size(x, axis), k)
    return w.between(x, axis, 0, k), w.between(x, axis, k, END), w.between(x, axis, 0, moves)
