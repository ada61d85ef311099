"""mean(x^2) - mean(x)^2 in float64, clamped at 0.

The rows that enter (e) and leave (l) a window give its sum of squares the same step times one more sum:

    e^2 - l^2 = (e - l) (e + l)

so the map is cut once, before it is float64.
"""

from __future__ import annotations

from passes.words.grid import has_every_window, nodes_of
from passes.words.window_sums import area, split, sum_along
from passes.words.words import COLUMNS, ROWS, Map, Size, Words


def local_variance(w: Words, x: Map, window_height: int, window_width: int) -> Map:
    """Interior of biased variances [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; in the type of x."""
    sums, squares = power_sums(w, x, window_height, window_width)
    _, variance = moments(w, sums, squares, area(w, x, window_height, window_width))
    return w.like(variance, x)


def grid_variance(w: Words, x: Map, window_height: int, window_width: int, ratio: int) -> Map:
    """Biased variances [N, C, gh, gw] of the windows at the nodes of the grid; in the type of x."""
    if has_every_window(window_height, window_width, ratio):
        return local_variance(w, x, window_height, window_width)
    nodes, pixels = nodes_of(w, x, window_height, window_width, ratio), w.double(x)
    sums, squares = w.grid_sums([pixels, w.multiply(pixels, pixels)], *nodes, double=True)
    _, variance = moments(w, sums, squares, area(w, x, window_height, window_width))
    return w.like(variance, x)


def power_sums(w: Words, x: Map, window_height: int, window_width: int) -> tuple[Map, Map]:
    """Window sums of x and of x^2, [N, C, H-kh+1, W-kw+1] each, float64."""
    if window_height == 1:
        sums = w.double(x)
        squares = w.multiply(sums, sums)
    else:
        first, entering, leaving = (w.double(rows) for rows in split(w, x, ROWS, window_height))
        steps = w.subtract(entering, leaving)
        square_steps = w.multiply(steps, w.add(entering, leaving))
        sums = w.running_sum(w.total(first, ROWS, True), steps, ROWS)
        squares = w.running_sum(w.total(w.multiply(first, first), ROWS, True), square_steps, ROWS)
    return sum_along(w, sums, COLUMNS, window_width, True), sum_along(w, squares, COLUMNS, window_width, True)


def moments(w: Words, sums: Map, squares: Map, count: Size) -> tuple[Map, Map]:
    """Mean and biased variance, float64, of ``count`` values with these sums of x and x^2."""
    divisor = w.divisor(count, double=True)
    mean, zero = w.over(sums, divisor), w.decimal(0.0, double=True)
    return mean, w.at_least(w.subtract(w.over(squares, divisor), w.multiply(mean, mean)), zero)
