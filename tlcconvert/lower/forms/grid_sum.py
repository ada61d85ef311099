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

from onnxscript import FLOAT, ir
from onnxscript.onnx_types import TensorType

from tlcconvert.lower.forms.box_sum import COLUMNS, ROWS, box_sum, sum_columns
from tlcconvert.lower.forms.grid_nodes import Nodes, coverage, nodes
from tlcconvert.lower.forms.opset import integers, op

_LONGEST_BLOCK = 32
_DENSE_SPACING = 8
"""Below this many pixels between nodes, the product is the faster way."""


def grid_sum(x: FLOAT, window_height: int, window_width: int, ratio: int) -> TensorType:
    """Window sums [N, C, gh, gw] of x [N, C, H, W]; float32 accurate to about 1e-6 of the sum of |x|."""
    rows, columns = _axes(x, window_height, window_width, ratio)
    if rows.spacing == 1:
        sums = box_sum(x, window_height, 1)
    elif rows.spacing < _DENSE_SPACING:
        sums = op.MatMul(coverage(rows), x)
    else:
        sums = _sum_rows_in_blocks(x, rows)
    if columns.spacing == 1:
        return sum_columns(sums, window_width)
    return op.MatMul(sums, op.Transpose(coverage(columns), perm=[1, 0]))


def grid_power_sums(
    x: FLOAT, window_height: int, window_width: int, ratio: int
) -> tuple[TensorType, TensorType]:
    """Window sums [N, C, gh, gw] of x [N, C, H, W] and of x^2, float64."""
    rows, columns = _axes(x, window_height, window_width, ratio)
    pixels = op.Cast(x, to=ir.DataType.DOUBLE)
    sums, squares = (
        _sum_rows_in_double(power, window_height, rows) for power in (pixels, op.Mul(pixels, pixels))
    )
    if columns.spacing == 1:
        double = ir.DataType.DOUBLE
        return sum_columns(sums, window_width, double), sum_columns(squares, window_width, double)
    covered = op.Cast(op.Transpose(coverage(columns), perm=[1, 0]), to=ir.DataType.DOUBLE)
    return op.MatMul(sums, covered), op.MatMul(squares, covered)


def _axes(x: TensorType, window_height: int, window_width: int, ratio: int) -> tuple[Nodes, Nodes]:
    height, width = op.Shape(x, start=ROWS, end=COLUMNS), op.Shape(x, start=COLUMNS)
    return nodes(height, window_height, ratio), nodes(width, window_width, ratio)


def _sum_rows_in_double(x: TensorType, window: int, rows: Nodes) -> TensorType:
    """Sums [N, C, gh, W] over the rows of each node's window, x and they float64."""
    if rows.spacing == 1:
        return box_sum(x, window, 1, ir.DataType.DOUBLE)
    running = op.CumSum(x, op.Constant(value_int=ROWS))
    return _between(running, x, rows.starts, _last_rows(rows), axis=ROWS)


def _sum_rows_in_blocks(x: FLOAT, rows: Nodes) -> TensorType:
    """Sums [N, C, gh, W] over the rows of each node's window."""
    channels = _channels(x)
    block = max(length for length in range(1, _LONGEST_BLOCK + 1) if channels % length == 0)
    width = op.Shape(x, start=COLUMNS)
    blocks = op.Reshape(x, op.Concat(integers(0, -1, block), width, axis=0))
    running = op.CumSum(blocks, op.Constant(value_int=2))
    totals = op.Squeeze(op.Slice(running, integers(block - 1), integers(block), integers(2)), integers(2))
    before = op.CumSum(op.Cast(totals, to=ir.DataType.DOUBLE), op.Constant(value_int=1), exclusive=1)

    flat = op.Concat(integers(0, -1), width, axis=0)
    plane = op.Mul(op.Range(*(op.Constant(value_int=i) for i in (0, channels, 1))), rows.size)
    first, last = (
        op.Reshape(op.Add(op.Unsqueeze(plane, integers(1)), row), integers(-1))
        for row in (rows.starts, _last_rows(rows))
    )
    inside = _between(op.Reshape(running, flat), op.Reshape(x, flat), first, last, axis=1)
    whole = op.Sub(_block_of(before, last, block), _block_of(before, first, block))
    sums = op.Add(inside, op.Cast(whole, to=ir.DataType.FLOAT))
    return op.Reshape(sums, op.Concat(integers(0, channels, -1), width, axis=0))


def _block_of(blocks: TensorType, row: TensorType, length: int) -> TensorType:
    return op.Gather(blocks, op.Div(row, integers(length)), axis=1)


def _between(
    running: TensorType, x: TensorType, first: TensorType, last: TensorType, axis: int
) -> TensorType:
    """Sums of x from ``first`` to ``last``, both included, from its running sum."""
    sums = op.Sub(op.Gather(running, last, axis=axis), op.Gather(running, first, axis=axis))
    return op.Add(sums, op.Gather(x, first, axis=axis))


def _last_rows(rows: Nodes) -> TensorType:
    return op.Add(rows.starts, op.Sub(rows.k, integers(1)))


def _channels(x: TensorType) -> int:
    return int(x.shape[1])  # type: ignore[index]  # channels are static
