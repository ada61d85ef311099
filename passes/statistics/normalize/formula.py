"""Moments of windows in the type of x (:mod:`passes.words.window_moments`), then what ``in_two_parts.py`` says."""

from __future__ import annotations

from passes.statistics.normalize.in_two_parts import Pixels
from passes.words.grid import has_every_window, nodes_of
from passes.words.window_moments import Moments, completed, grid_moments, window_moments
from passes.words.words import COLUMNS, ROWS, Map, Words

CHANNELS = 1


def local_normalize(w: Words, x: Map, window_height: int, window_width: int, groups: int, eps: float) -> Map:
    """x [N, C, H, W] normalised by the statistics of each pixel's window and group; in the type of x."""
    pixels = Pixels.by_group(w, x, groups)
    moments = window_moments(w, x, _of_channels(w, pixels), window_height, window_width)
    high, low, variance = completed(w, moments)
    return pixels.normalized(high, low, w.inverse_root(w.add(variance, w.decimal(eps))))


def grid_normalize(
    w: Words, x: Map, window_height: int, window_width: int, groups: int, eps: float, ratio: int
) -> Map:
    """x [N, C, H, W] normalised by the spread statistics of its groups of channels; in the type of x."""
    window = window_height, window_width
    if has_every_window(*window, ratio):
        return local_normalize(w, x, *window, groups, eps)
    pixels = Pixels.by_group(w, x, groups)
    high, low, variance = completed(w, grid_moments(w, x, _of_channels(w, pixels), *window, ratio))
    level = w.mean_over(high, ROWS, COLUMNS)
    offset = w.add(w.subtract(high, level), low)
    stabilised = w.add(variance, w.decimal(eps))
    return pixels.normalized_on_grid(level, offset, stabilised, nodes_of(w, x, *window, ratio))


def _of_channels(w: Words, pixels: Pixels) -> Moments:
    """Those of each pixel over the channels of a group."""
    if not pixels.are_grouped:
        return Moments(pixels.x)
    high = w.mean_within(pixels.grouped, CHANNELS)
    deviations = w.subtract(pixels.grouped, w.of_each_channel(high))
    low = w.mean_within(deviations, CHANNELS)
    squares = w.mean_within(w.multiply(deviations, deviations), CHANNELS)
    return Moments(high, low, w.subtract(squares, w.multiply(low, low)))
