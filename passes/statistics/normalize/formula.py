"""The mean subtracted in two parts, each in the type of x (:mod:`passes.words.window_moments`).

    y = ((x - high) - low) / sqrt(var + eps)

x - high is exact where the two are close (Sterbenz), so a flat area at a high level keeps its contrast. On a grid,
what is spread of the means is their difference to a group's level, the mean of all its nodes: this keeps the rounding
of the weights from being one of the level.

    y = ((x - level) - spread(mean - level)) / sqrt(spread(var + eps))
"""

from __future__ import annotations

from collections.abc import Callable

from passes.words.grid import has_every_window, interpolation, nodes_of, spread
from passes.words.window_moments import Moments, grid_moments, window_moments
from passes.words.words import COLUMNS, ROWS, Map, Words

CHANNELS = 1


def local_normalize(w: Words, x: Map, window_height: int, window_width: int, groups: int, eps: float) -> Map:
    """x [N, C, H, W] normalised by the statistics of each pixel's window and group; in the type of x."""
    pixels, of_pixels, of_each_channel = _by_group(w, x, groups)
    moments = window_moments(w, of_pixels, window_height, window_width)
    high, low, variance = _complete(w, moments)
    scale = w.inverse_root(w.add(variance, w.decimal(eps)))
    height, width = w.size(x, -2), w.size(x, -1)
    high, low, scale = (of_each_channel(w.replicate(part, height, width)) for part in (high, low, scale))
    normalized = w.multiply(w.subtract(w.subtract(pixels, high), low), scale)
    return normalized if pixels is x else w.ungrouped(normalized, x)


def grid_normalize(
    w: Words, x: Map, window_height: int, window_width: int, groups: int, eps: float, ratio: int
) -> Map:
    """x [N, C, H, W] normalised by the spread statistics of its groups of channels; in the type of x."""
    window = window_height, window_width
    if has_every_window(*window, ratio):
        return local_normalize(w, x, *window, groups, eps)
    pixels, of_pixels, of_each_channel = _by_group(w, x, groups)
    high, low, variance = _complete(w, grid_moments(w, of_pixels, *window, ratio))
    level = w.mean_over(high, ROWS, COLUMNS)
    offset = w.add(w.subtract(high, level), low)
    rows, columns = (w.weights(interpolation(w, axis), x) for axis in nodes_of(w, x, *window, ratio))
    offset, stabilised = (
        of_each_channel(spread(w, part, rows, columns)) for part in (offset, w.add(variance, w.decimal(eps)))
    )
    centred = w.subtract(w.subtract(pixels, of_each_channel(level)), offset)
    normalized = w.divide(centred, w.root(stabilised))
    return normalized if pixels is x else w.ungrouped(normalized, x)


def _by_group(w: Words, x: Map, groups: int) -> tuple[Map, Moments, Callable[[Map], Map]]:
    """The pixels, the moments of each over a group's channels, and what makes those broadcast to the pixels."""
    if groups == w.channels(x):
        return x, Moments(x), lambda part: part
    grouped = w.by_group(x, groups)
    high = w.mean_within(grouped, CHANNELS)
    deviations = w.subtract(grouped, w.of_each_channel(high))
    low = w.mean_within(deviations, CHANNELS)
    squares = w.mean_within(w.multiply(deviations, deviations), CHANNELS)
    return grouped, Moments(high, low, w.subtract(squares, w.multiply(low, low))), w.of_each_channel


def _complete(w: Words, moments: Moments) -> tuple[Map, Map, Map]:
    """A window of one pixel has no variance."""
    zero = w.subtract(moments.high, moments.high)
    low, variance = (zero if part is None else part for part in (moments.low, moments.variance))
    return moments.high, low, variance
