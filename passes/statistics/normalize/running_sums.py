"""Float64 sums, then a subtraction in two parts of the type of x.

    mean = high + low        high = float32(mean), low = float32(mean - high)
    y = ((x - high) - low) / sqrt(var + eps)

x - high is exact where the two are close (Sterbenz), so this keeps what a float64 subtraction would, at half
the memory traffic. On a grid, what is spread of the means is their difference to a group's level, the mean of all its
nodes: this keeps the rounding of the weights from being one of the level.

    y = ((x - level) - spread(mean - level)) / sqrt(spread(var + eps))
"""

from __future__ import annotations

from collections.abc import Callable

from passes.statistics.variance.running_sums import moments, power_sums
from passes.words.grid import has_every_window, interpolation, nodes_of, spread
from passes.words.window_sums import area, box_sum
from passes.words.words import COLUMNS, ROWS, Map, Words


def local_normalize(w: Words, x: Map, window_height: int, window_width: int, groups: int, eps: float) -> Map:
    """x [N, C, H, W] normalised by the statistics of each pixel's window and group; in the type of x."""
    window = window_height, window_width
    count = area(w, x, *window)
    if groups == w.channels(x):
        mean, variance = moments(w, *power_sums(w, x, *window), count)
        return _normalized(w, x, x, mean, variance, eps, lambda part: part)
    grouped = w.by_group(x, groups)
    pixels = w.double(grouped)
    powers = w.sum_over(pixels, 2), w.sum_of_squares(pixels, 2)
    sums, squares = (box_sum(w, power, *window, double=True) for power in powers)
    mean, variance = moments(w, sums, squares, w.times(count, w.channels(x) // groups))
    return w.ungrouped(_normalized(w, x, grouped, mean, variance, eps, w.of_each_channel), x)


def _normalized(
    w: Words, x: Map, pixels: Map, mean: Map, variance: Map, eps: float, of_pixels: Callable[[Map], Map]
) -> Map:
    """``pixels``, x or x by groups, normalised by interiors; ``of_pixels`` makes their axes those of ``pixels``."""
    high = w.like(mean, x)
    low = w.like(w.subtract(mean, w.double(high)), x)
    scale = w.inverse_root(w.like(w.add(variance, w.decimal(eps, double=True)), x))
    height, width = w.size(x, -2), w.size(x, -1)

    def replicated(part: Map) -> Map:
        return of_pixels(w.replicate(part, height, width))

    centred = w.subtract(w.subtract(pixels, replicated(high)), replicated(low))
    return w.multiply(centred, replicated(scale))


def grid_normalize(
    w: Words, x: Map, window_height: int, window_width: int, groups: int, eps: float, ratio: int
) -> Map:
    """x [N, C, H, W] normalised by the spread statistics of its groups of channels; in the type of x."""
    window = window_height, window_width
    if has_every_window(*window, ratio):
        return local_normalize(w, x, *window, groups, eps)
    is_grouped = groups != w.channels(x)
    nodes, grouped = nodes_of(w, x, *window, ratio), w.by_group(x, groups) if is_grouped else x
    if is_grouped:
        sums, squares = w.grid_power_sums_by_group(x, groups, *nodes)
    else:
        pixels = w.double(x)
        sums, squares = w.grid_sums([pixels, w.multiply(pixels, pixels)], *nodes, double=True)
    mean, variance = moments(w, sums, squares, w.times(area(w, x, *window), w.channels(x) // groups))
    level = w.like(w.mean_over(mean, ROWS, COLUMNS), x)
    offset = w.like(w.subtract(mean, w.double(level)), x)
    stabilised = w.like(w.add(variance, w.decimal(eps, double=True)), x)
    rows, columns = (w.weights(interpolation(w, axis), x) for axis in nodes)
    parts = [level, spread(w, offset, rows, columns), spread(w, stabilised, rows, columns)]
    level, offset, stabilised = (w.of_each_channel(part) for part in parts) if is_grouped else parts
    normalized = w.divide(w.subtract(w.subtract(grouped, level), offset), w.root(stabilised))
    return w.ungrouped(normalized, x) if is_grouped else normalized
