"""Float64 sums, then what ``in_two_parts.py`` says, at half the memory traffic of a float64 subtraction.

high = float32(mean), low = float32(mean - high)
"""

from __future__ import annotations

from passes.statistics.normalize.in_two_parts import Pixels
from passes.statistics.variance.running_sums import moments, power_sums
from passes.words.grid import has_every_window, nodes_of
from passes.words.window_sums import area, box_sum
from passes.words.words import COLUMNS, ROWS, Map, Words


def local_normalize(w: Words, x: Map, window_height: int, window_width: int, groups: int, eps: float) -> Map:
    """x [N, C, H, W] normalised by the statistics of each pixel's window and group; in the type of x."""
    window, pixels = (window_height, window_width), Pixels.by_group(w, x, groups)
    sums, squares = _power_sums(w, pixels, window)
    mean, variance = moments(w, sums, squares, w.times(area(w, x, *window), w.channels(x) // groups))
    high = w.like(mean, x)
    low = w.like(w.subtract(mean, w.double(high)), x)
    return pixels.normalized(high, low, w.inverse_root(_stabilised(w, x, variance, eps)))


def grid_normalize(
    w: Words, x: Map, window_height: int, window_width: int, groups: int, eps: float, ratio: int
) -> Map:
    """x [N, C, H, W] normalised by the spread statistics of its groups of channels; in the type of x."""
    window = window_height, window_width
    if has_every_window(*window, ratio):
        return local_normalize(w, x, *window, groups, eps)
    nodes, pixels = nodes_of(w, x, *window, ratio), Pixels.by_group(w, x, groups)
    if pixels.are_grouped:
        sums, squares = w.grid_power_sums_by_group(x, groups, *nodes)
    else:
        double = w.double(x)
        sums, squares = w.grid_sums([double, w.multiply(double, double)], *nodes, double=True)
    mean, variance = moments(w, sums, squares, w.times(area(w, x, *window), w.channels(x) // groups))
    level = w.like(w.mean_over(mean, ROWS, COLUMNS), x)
    offset = w.like(w.subtract(mean, w.double(level)), x)
    return pixels.normalized_on_grid(level, offset, _stabilised(w, x, variance, eps), nodes)


def _power_sums(w: Words, pixels: Pixels, window: tuple[int, int]) -> tuple[Map, Map]:
    """Sums of x and of x^2 over each window and group of channels, float64."""
    if not pixels.are_grouped:
        return power_sums(w, pixels.x, *window)
    double = w.double(pixels.grouped)
    powers = w.sum_over(double, 2), w.sum_of_squares(double, 2)
    sums, squares = (box_sum(w, power, *window, double=True) for power in powers)
    return sums, squares


def _stabilised(w: Words, x: Map, variance: Map, eps: float) -> Map:
    return w.like(w.add(variance, w.decimal(eps, double=True)), x)
