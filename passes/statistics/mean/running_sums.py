"""Window sums in difference form over kh * kw."""

from __future__ import annotations

from passes.words.grid import has_every_window, nodes_of
from passes.words.window_sums import area, box_sum
from passes.words.words import Map, Words


def local_mean(w: Words, x: Map, window_height: int, window_width: int) -> Map:
    """Interior of windowed means [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; float32, off by 1e-5 of the largest."""
    if window_height == window_width == 1:
        return w.copy(x)
    divisor = w.divisor(area(w, x, window_height, window_width))
    return w.over(box_sum(w, x, window_height, window_width), divisor)


def grid_mean(w: Words, x: Map, window_height: int, window_width: int, ratio: int) -> Map:
    """Means [N, C, gh, gw] of the windows at the nodes of the grid; in the type of x."""
    if has_every_window(window_height, window_width, ratio):
        return local_mean(w, x, window_height, window_width)
    divisor = w.divisor(area(w, x, window_height, window_width))
    (sums,) = w.grid_sums([x], *nodes_of(w, x, window_height, window_width, ratio), double=False)
    return w.over(sums, divisor)
