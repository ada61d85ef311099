"""What the grid operators must equal: exact windows at the nodes, numpy's interpolation between them, float64."""

import numpy as np


def node_starts(interior: int, window: int, ratio: int) -> list[int]:
    """Every ``max(1, window // ratio)``-th full window of an axis, and the last."""
    starts = list(range(0, interior, max(1, window // ratio)))
    return starts if starts[-1] == interior - 1 else [*starts, interior - 1]


def at_nodes(interior: np.ndarray, window_height: int, window_width: int, ratio: int) -> np.ndarray:
    rows = node_starts(interior.shape[-2], window_height, ratio)
    columns = node_starts(interior.shape[-1], window_width, ratio)
    return interior[..., rows, :][..., columns]


def interpolated(
    grid: np.ndarray, height: int, width: int, window_height: int, window_width: int, ratio: int
) -> np.ndarray:
    """``grid`` on every pixel of a map, each reading the window around it."""
    for axis, size, window in ((-2, height, window_height), (-1, width, window_width)):
        k = min(size, window)
        starts = [min(max(pixel - (k - 1) // 2, 0), size - k) for pixel in range(size)]
        nodes = node_starts(size - k + 1, window, ratio)
        grid = np.apply_along_axis(lambda line, at=starts, of=nodes: np.interp(at, of, line), axis, grid)
    return grid
