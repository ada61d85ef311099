"""Maxima over 1, 2, 4 ... min(2^j, k) pixels.

The window sets the number of steps; where k = min(window, size) is smaller, the last ones shift by 0 and
change nothing.
"""

from __future__ import annotations

from passes.words.words import COLUMNS, END, ROWS, Map, Words


def local_max(w: Words, x: Map, window_height: int, window_width: int) -> Map:
    """Interior of maxima [N, C, H-kh+1, W-kw+1] of x [N, C, H, W], exact."""
    if window_height == window_width == 1:
        return w.copy(x)
    return _max_along(w, _max_along(w, x, ROWS, window_height), COLUMNS, window_width)


def _max_along(w: Words, x: Map, axis: int, window: int) -> Map:
    k = w.covered(x, axis, window)
    interior_of_one, reached, pixels = w.more(w.size(x, axis), 1), w.number(1), 1
    while pixels < window:
        pixels *= 2
        now_reached = w.smaller(pixels, k)
        shift = w.less(now_reached, reached)
        early = w.between(x, axis, 0, w.less(interior_of_one, now_reached))
        x, reached = w.maximum(early, w.between(x, axis, shift, END)), now_reached
    return x
