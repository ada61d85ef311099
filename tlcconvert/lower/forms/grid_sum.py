"""Sums over the windows at the nodes of a grid in standard ONNX operators, in about one pass over the map.

Rows are summed first, columns then on the few rows of the grid, by the ``coverage`` matrix. The rows of a window
that starts at t and ends at e are, with a running sum P along axis -2,

    P[e-1] - P[t] + x[t]

In float64, P simply runs over the plane. In float32 it starts anew every ``block`` rows so that it never grows
beyond the precision of its last digits, and the totals T of whole blocks run on in float64:

    P[e-1] - P[t] + x[t] + (T before the block of e-1) - (T before the block of t)

Planes of one image follow each other in memory, C*H rows in all. Where ``block`` divides C they are whole blocks
whatever H is, and nothing is copied to make them so. Windows up to a few dozen pixels have nodes so close that
looking them all up costs more than the product with the coverage matrix.
"""

from __future__ import annotations

from typing import cast

from onnxscript import ir

from passes.words.grid import Nodes
from passes.words.window_sums import sum_along
from passes.words.words import COLUMNS, ROWS, Index, Map, Words
from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.split_map import channels
from tlcconvert.lower.forms.whole_numbers import covered, numbers

_LONGEST_BLOCK = 32
_DENSE_SPACING = 8
"""Below this many pixels between nodes, the product is the faster way."""


def sum_rows_in_float(w: Words, x: Map, rows: Nodes) -> Map:
    """Sums [N, C, gh, W] over the rows of each node's window; float32 accurate to about 1e-6 of the sum of |x|."""
    if rows.spacing == 1:
        return sum_along(w, x, ROWS, rows.window)
    return op.MatMul(coverage(rows), x) if rows.spacing < _DENSE_SPACING else _sum_rows_in_blocks(x, rows)


def sum_rows_in_double(w: Words, x: Map, rows: Nodes) -> Map:
    """The same of x in float64."""
    if rows.spacing == 1:
        return sum_along(w, x, ROWS, rows.window, double=True)
    running = op.CumSum(x, op.Constant(value_int=ROWS))
    return _between(running, x, rows.starts, _last_rows(rows), axis=ROWS)


def sum_columns(w: Words, maps: list[Map], columns: Nodes, double: bool) -> list[Map]:
    """Sums [N, C, h, gw] over the columns of each node's window, of maps [N, C, h, W], float64 if ``double``."""
    if columns.spacing == 1:
        return [sum_along(w, x, COLUMNS, columns.window, double) for x in maps]
    matrix = op.Transpose(coverage(columns), perm=[1, 0])
    if double:
        matrix = op.Cast(matrix, to=ir.DataType.DOUBLE)
    return [op.MatMul(x, matrix) for x in maps]


def coverage(axis: Nodes) -> Map:
    """float32 [nodes, size], 1 where the node's window covers the pixel."""
    return covered(numbers(axis.size), op.Unsqueeze(axis.starts, integers(1)), axis.k)


def _sum_rows_in_blocks(x: Map, rows: Nodes) -> Map:
    count = channels(cast(ir.Value, x))
    block = max(length for length in range(1, _LONGEST_BLOCK + 1) if count % length == 0)
    width = op.Shape(x, start=COLUMNS)
    blocks = op.Reshape(x, op.Concat(integers(0, -1, block), width, axis=0))
    running = op.CumSum(blocks, op.Constant(value_int=2))
    totals = op.Squeeze(op.Slice(running, integers(block - 1), integers(block), integers(2)), integers(2))
    before = op.CumSum(op.Cast(totals, to=ir.DataType.DOUBLE), op.Constant(value_int=1), exclusive=1)

    flat = op.Concat(integers(0, -1), width, axis=0)
    plane = op.Mul(op.Range(*(op.Constant(value_int=i) for i in (0, count, 1))), rows.size)
    first, last = (
        op.Reshape(op.Add(op.Unsqueeze(plane, integers(1)), row), integers(-1))
        for row in (rows.starts, _last_rows(rows))
    )
    inside = _between(op.Reshape(running, flat), op.Reshape(x, flat), first, last, axis=1)
    whole = op.Sub(_block_of(before, last, block), _block_of(before, first, block))
    sums = op.Add(inside, op.Cast(whole, to=ir.DataType.FLOAT))
    return op.Reshape(sums, op.Concat(integers(0, count, -1), width, axis=0))


def _block_of(blocks: Map, row: Index, length: int) -> Map:
    return op.Gather(blocks, op.Div(row, integers(length)), axis=1)


def _between(running: Map, x: Map, first: Index, last: Index, axis: int) -> Map:
    """Sums of x from ``first`` to ``last``, both included, from its running sum."""
    sums = op.Sub(op.Gather(running, last, axis=axis), op.Gather(running, first, axis=axis))
    return op.Add(sums, op.Gather(x, first, axis=axis))


def _last_rows(rows: Nodes) -> Index:
    return op.Add(rows.starts, op.Sub(rows.k, integers(1)))
