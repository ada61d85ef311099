"""Block means and what has entered and left since, in the type of the map.

    mean(q*s + r) = mean(q*s) + sum_{j < r} (x[q*s + k + j] - x[q*s + j]) / k          k = min(window, size)

The window of q*s is whole blocks of s elements, whose means are averaged; the sums are products with a triangle.
Nothing grows with the axis, so float32, bfloat16 and float16 keep what they can of a mean.
"""

from __future__ import annotations

from passes.operators.grid_nodes import spacing
from passes.words.window_blocks import Blocks, blocks_of, is_before
from passes.words.words import COLUMNS, END, ROWS, Map, Size, Words


def local_mean(w: Words, x: Map, window_height: int, window_width: int) -> Map:
    """Interior of windowed means [N, C, H-kh+1, W-kw+1] of x [N, C, H, W], in its type."""
    if window_height == window_width == 1:
        return w.copy(x)
    means, rows = _means_along(w, x, ROWS, w.size(x, ROWS), window_height)
    means, columns = _means_along(w, means, COLUMNS, w.size(x, COLUMNS), window_width)
    return w.upper_left(means, rows, columns)


def _means_along(w: Words, x: Map, axis: int, size: Size, window: int) -> tuple[Map, Size]:
    """Means over the windows along ``axis``, followed by others up to whole blocks, and the number of windows."""
    if window == 1:
        return x, size
    cut = blocks_of(window)
    k = w.smaller(size, window)
    moves = w.less(size, k)
    number = w.more(w.parts(moves, cut.length), 1)
    if cut.rest:
        pooled = w.pooled(x, axis, window, cut.length)
    else:
        pooled = w.pooled(w.pooled(x, axis, cut.length, cut.length), axis, cut.number, 1)
    of_fewer = w.quotient(w.add(w.numbers(w.number(1)), window), k)
    at_starts = w.multiply(w.between(pooled, axis, 0, number), w.weights(of_fewer, x))
    changes = w.subtract(w.between(x, axis, k, END), w.between(x, axis, 0, moves))
    windows, in_blocks = w.more(moves, 1), w.times(number, cut.length)
    changes = w.padded(changes, axis, w.padding(w.less(in_blocks, moves)), 0.0)
    changes = w.in_blocks(changes, axis, cut.length)
    earlier = is_before(w, w.numbers(w.number(cut.length)), cut.length)
    since_start = w.weighed(changes, w.weights(w.quotient(earlier, k), x), axis)
    means = w.add(since_start, w.of_each_in_block(at_starts, axis))
    return w.flat(means, axis, in_blocks), windows


def grid_mean(w: Words, x: Map, window_height: int, window_width: int, ratio: int) -> Map:
    """Means [N, C, gh, gw] of the windows at the nodes of the grid, in the type of x [N, C, H, W]."""
    means = x
    for axis, window in ((ROWS, window_height), (COLUMNS, window_width)):
        means = _means_at_nodes(w, means, axis, w.size(x, axis), window, spacing(window, ratio))
    return means


def _means_at_nodes(w: Words, x: Map, axis: int, size: Size, window: int, step: int) -> Map:
    """A window of a node is whole blocks of ``step`` elements and the rest; the last one is anywhere."""
    if step == 1:
        means, number = _means_along(w, x, axis, size, window)
        return w.between(means, axis, 0, number)
    moves = w.less(size, w.smaller(size, window))
    regular = w.parts(w.more(moves, step - 1), step)
    cut = Blocks.by(step, window)
    means = w.pooled(w.pooled(x, axis, step, step), axis, cut.number, 1)
    means = w.between(means, axis, 0, regular)
    if cut.rest:
        of_rest = w.between(w.pooled(x, axis, cut.rest, step), axis, cut.number, w.more(regular, cut.number))
        share = cut.rest / window
        means = w.add(w.multiply(means, w.decimal(1 - share)), w.multiply(of_rest, w.decimal(share)))
    return w.joined(means, w.mean_over(w.between(x, axis, moves, END), axis), axis)
