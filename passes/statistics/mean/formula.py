"""Block means and what has entered and left since, in the type of the map.

    mean(q*s + r) = mean(q*s) + sum_{j < r} (x[q*s + k + j] - x[q*s + j]) / k          k = min(window, size)

The window of q*s is whole blocks of s elements, whose means are averaged; the sums are products with a triangle.
Nothing grows with the axis, so float32, bfloat16 and float16 keep what they can of a mean.
"""

from __future__ import annotations

from typing import Any

from passes.words.grid import Nodes, has_every_window, nodes_of
from passes.words.window_blocks import blocks_of, is_before
from passes.words.words import COLUMNS, END, ROWS, Map, Size, Words


def local_mean(w: Words, x: Map, window_height: int, window_width: int) -> Map:
    """Interior of windowed means [N, C, H-kh+1, W-kw+1] of x [N, C, H, W], in its type."""
    if window_height == window_width == 1:
        return w.copy(x)
    means, rows = _means_along(w, x, ROWS, window_height)
    means, columns = _means_along(w, means, COLUMNS, window_width)
    return w.upper_left(means, rows, columns)


def _means_along(w: Words, x: Map, axis: int, window: int) -> tuple[Map, Size]:
    """Means over the windows along ``axis``, followed by others up to whole blocks, and the number of windows."""
    if window == 1:
        return x, w.size(x, axis)
    cut = blocks_of(window)
    k = w.covered(x, axis, window)
    moves = w.less(w.size(x, axis), k)
    number = w.more(w.parts(moves, cut.length), 1)
    if cut.rest:
        pooled = w.pooled(x, axis, window, cut.length)
    else:
        pooled = w.pooled(w.pooled(x, axis, cut.length, cut.length), axis, cut.number, 1)
    of_fewer = w.quotient(w.add(w.numbers(w.number(1)), window), k)
    at_starts = w.multiply(w.between(pooled, axis, 0, number), w.weights(of_fewer, x))
    changes = w.subtract(w.between(x, axis, k, END), w.between(x, axis, 0, moves))
    missing = w.less(w.times(number, cut.length), moves)
    changes = w.in_blocks(w.padded(changes, axis, w.padding(missing), 0.0), axis, cut.length)
    earlier = is_before(w, w.numbers(w.number(cut.length)), cut.length)
    since_start = w.weighed(changes, w.weights(w.quotient(earlier, k), x), axis)
    means = w.flat(w.add(since_start, w.of_each_in_block(at_starts, axis)), axis)
    return means, w.more(moves, 1)


def grid_mean(w: Words, x: Map, window_height: int, window_width: int, ratio: int) -> Map:
    """Means [N, C, gh, gw] of the windows at the nodes of the grid: products with a row of weights per node."""
    if has_every_window(window_height, window_width, ratio):
        return local_mean(w, x, window_height, window_width)
    rows, columns = (averages(w, x, nodes) for nodes in nodes_of(w, x, window_height, window_width, ratio))
    return w.product(w.product(rows, x), w.transposed(columns))


def averages(w: Words, x: Map, nodes: Nodes) -> Any:
    """[nodes, size]: 1/k where the node's window holds the element, else 0."""
    since_start = w.subtract(w.numbers(nodes.size), w.upright(nodes.starts))
    has_begun = w.clamped(w.add(since_start, 1), 0, 1)
    goes_on = w.clamped(w.add(w.multiply(since_start, -1), nodes.k), 0, 1)
    return w.weights(w.quotient(w.multiply(has_begun, goes_on), nodes.k), x)
