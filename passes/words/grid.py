"""The nodes of a grid of windows (:mod:`passes.operators.grid_nodes`), and what they hold spread over the pixels.

nodes  = ceil((size - k) / spacing) + 1          k = min(window, size)
starts = min(i * spacing, size - k)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from passes.operators.grid_nodes import spacing
from passes.words.words import COLUMNS, ROWS, Index, Map, Size, Words


@dataclass(frozen=True)
class Nodes:
    """The nodes of an axis.

    Attributes:
        size: pixels of the axis.
        window: pixels of a window on an axis that is longer, and ``k`` on this one.
        last: first pixel of the last window.
        starts: first pixel of each node's window.
        spacing: pixels between nodes, but before the last.
    """

    size: Size
    window: int
    k: Size
    last: Size
    starts: Index
    spacing: int


def has_every_window(window_height: int, window_width: int, ratio: int) -> bool:
    """Whether the grid is the interior."""
    return spacing(window_height, ratio) == spacing(window_width, ratio) == 1


def nodes(w: Words, size: Size, window: int, ratio: int) -> Nodes:
    """The nodes of an axis of ``size`` pixels."""
    step = spacing(window, ratio)
    k = w.smaller(size, window)
    last = w.less(size, k)
    return Nodes(size, window, k, last, w.multiples(step, last), step)


def nodes_of(w: Words, x: Map, window_height: int, window_width: int, ratio: int) -> tuple[Nodes, Nodes]:
    """Those of the rows and of the columns of x."""
    height, width = w.size(x, ROWS), w.size(x, COLUMNS)
    return nodes(w, height, window_height, ratio), nodes(w, width, window_width, ratio)


def interpolation(w: Words, at: Nodes) -> Any:
    """[size, nodes]: the weights of each pixel's neighbouring nodes, not negative, with sum 1.

    Node j has a hat: 1 at its start, 0 at the starts before and after. The first has no rising side within the
    axis and the last no falling one; there the neighbour stands a step outside.
    """
    previous = w.multiply(w.subtract(w.numbers(w.size(at.starts, 0)), 1), at.spacing)
    within = w.clamped(w.add(previous, 2 * at.spacing), None, at.last)
    following = w.maximum(within, w.add(at.starts, 1))
    centred = w.subtract(w.numbers(at.size), w.parts(w.less(at.k, 1), 2))
    start = w.upright(w.clamped(centred, 0, at.last))
    rising = w.quotient(w.subtract(start, previous), w.subtract(at.starts, previous))
    falling = w.quotient(w.subtract(following, start), w.subtract(following, at.starts))
    return w.not_negative(w.minimum(rising, falling))


def interpolations(
    w: Words, height: Size, width: Size, window_height: int, window_width: int, ratio: int
) -> tuple[Any, Any]:
    """[height, gh] and [width, gw], of a height and a width that are arguments of the operator."""
    rows, columns = (
        interpolation(w, nodes(w, w.extent(size), window, ratio))
        for size, window in ((height, window_height), (width, window_width))
    )
    return rows, columns


def spread(w: Words, grid: Map, rows: Any, columns: Any) -> Map:
    """rows [H, gh] @ grid [N, C, gh, gw] @ columns [W, gw]^T."""
    return w.product(rows, w.product(grid, w.transposed(columns)))
