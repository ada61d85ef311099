"""From one value per window to one per pixel: edge pads, interpolations and selections by integers."""

from __future__ import annotations

from passes.words.grid import has_every_window, interpolations, spread
from passes.words.words import COLUMNS, ROWS, Map, Size, Words


def replicate(w: Words, interior: Map, height: Size, width: Size) -> Map:
    """Interior [N, C, h, w] edge-padded to [N, C, height, width], the odd row and column at the end."""
    return w.replicate(interior, height, width)


def replicated_product(w: Words, x: Map, interior: Map) -> Map:
    """x [N, C, H, W] times interior [N, C, h, w] edge-padded to its size."""
    return w.multiply(x, w.replicate(interior, w.size(x, -2), w.size(x, -1)))


def nearest(w: Words, x: Map, height: Size, width: Size) -> Map:
    """x [N, C, H, W] resampled to [N, C, height, width]; row i takes row floor((i + 1/2) * H / height)."""
    return _resampled(w, _resampled(w, x, ROWS, height), COLUMNS, width)


def _resampled(w: Words, x: Map, axis: int, length: Size) -> Map:
    def rows(x: Map, axis: int) -> Map:
        target = w.extent(length)
        centre = w.add(w.multiply(w.numbers(target), 2), 1)
        source = w.multiply(centre, w.size(x, axis))
        return w.gather(x, axis, w.floor_divide(source, w.times(target, 2)))

    return w.along(axis, rows, x)


def grid_spread(
    w: Words, grid: Map, height: Size, width: Size, window_height: int, window_width: int, ratio: int
) -> Map:
    """Grid [N, C, gh, gw] spread over [N, C, height, width], linearly between nodes; in the type of the grid."""
    if has_every_window(window_height, window_width, ratio):
        return w.replicate(grid, height, width)
    axes = interpolations(w, height, width, window_height, window_width, ratio)
    return spread(w, grid, *(w.weights(axis, grid) for axis in axes))


def spread_product(w: Words, x: Map, grid: Map, window_height: int, window_width: int, ratio: int) -> Map:
    """x [N, C, H, W] times the grid spread over H x W."""
    return w.multiply(
        x, grid_spread(w, grid, w.size(x, -2), w.size(x, -1), window_height, window_width, ratio)
    )
