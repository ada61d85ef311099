"""See :mod:`passes.words.window_moments`."""

from __future__ import annotations

from passes.words.grid import has_every_window
from passes.words.window_moments import Moments, completed, grid_moments, window_moments
from passes.words.words import Map, Words


def local_variance(w: Words, x: Map, window_height: int, window_width: int) -> Map:
    """Interior of biased variances [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; in the type of x."""
    _, _, variance = completed(w, window_moments(w, x, Moments(x), window_height, window_width))
    return variance


def grid_variance(w: Words, x: Map, window_height: int, window_width: int, ratio: int) -> Map:
    """Biased variances [N, C, gh, gw] of the windows at the nodes of the grid; in the type of x."""
    if has_every_window(window_height, window_width, ratio):
        return local_variance(w, x, window_height, window_width)
    _, _, variance = completed(w, grid_moments(w, x, Moments(x), window_height, window_width, ratio))
    return variance
