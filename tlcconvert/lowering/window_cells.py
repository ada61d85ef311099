"""The cells of one axis: runs of pixels that the same windows cover, in standard ONNX operators.

An axis of ``size`` pixels has windows of ``k = min(window, size)``. Cutting it at every window start and end
gives three families of equally long cells, so that each family is one regular tensor whatever the overlap:

    n = max(ceil(size / k), 2)                            windows; a single one is taken as two identical ones
    step = k if n = 2 else ceil((size - k) / (n - 1))     window i starts at min(i*step, size - k)
    r = (n-1)*step - (size - k)                           how far the last window is moved back
    ov = k - step,  m = step - ov - r                     ov, m, r >= 0 for every size and window

    | length | cells | start of cell i                      |
    |--------|-------|--------------------------------------|
    | ov     | n + 1 | i*step        , less r from i = n-1  |
    | m      | n     | i*step + ov                          |
    | r      | n - 1 | (i+1)*step - r, plus ov from i = n-2 |

A family of length 0 has no cells.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnxscript import ir

from tlcconvert.lowering.opset import integers, op


@dataclass(frozen=True)
class Cells:
    """The cells of an axis with n windows, by family.

    Attributes:
        pixels: int64 [cells, length] of each family, the pixels of each cell.
        covered: float32 [n, cells] of each family, 1 where the window covers the cell.
        windows: n as int64 [1].
    """

    pixels: list[ir.Value]
    covered: list[ir.Value]
    windows: ir.Value


def window_cells(size: ir.Value, window: int) -> Cells:
    """The cells of an axis of ``size`` (int64 integers(1)) pixels."""
    k = op.Min(size, integers(window))
    n = op.Max(_ceil_divide(size, k), integers(2))
    last = op.Sub(n, integers(1))
    free = op.Sub(size, k)
    step = op.Where(op.Equal(n, integers(2)), k, _ceil_divide(free, last))
    r = op.Sub(op.Mul(last, step), free)
    ov = op.Sub(k, step)
    m = op.Sub(op.Sub(step, ov), r)

    def starts(
        length: ir.Value, count: ir.Value, first: ir.Value, moved: ir.Value, since: ir.Value
    ) -> ir.Value:
        i = _range(op.Where(op.Greater(length, integers(0)), count, integers(0)))
        is_moved = op.Cast(op.GreaterOrEqual(i, since), to=ir.DataType.INT64)
        return op.Add(op.Add(op.Mul(i, step), first), op.Mul(is_moved, moved))

    families = [
        (starts(ov, op.Add(n, integers(1)), op.Sub(r, r), op.Neg(r), last), ov),
        (starts(m, n, ov, r, n), m),
        (starts(r, last, op.Sub(step, r), ov, op.Sub(n, integers(2))), r),
    ]
    pixels = [op.Add(op.Unsqueeze(start, integers(1)), _range(length)) for start, length in families]
    window_starts = op.Unsqueeze(op.Min(op.Mul(_range(n), step), free), integers(1))
    covered = [_covered(start, window_starts, k) for start, _ in families]
    return Cells(pixels, covered, n)


def _covered(cell_starts: ir.Value, window_starts: ir.Value, k: ir.Value) -> ir.Value:
    begun = op.GreaterOrEqual(cell_starts, window_starts)
    unfinished = op.Less(cell_starts, op.Add(window_starts, k))
    return op.Cast(op.And(begun, unfinished), to=ir.DataType.FLOAT)


def _ceil_divide(a: ir.Value, b: ir.Value) -> ir.Value:
    return op.Div(op.Add(a, op.Sub(b, integers(1))), b)


def _range(count: ir.Value) -> ir.Value:
    """0, 1, ... count-1 for count int64 [1]."""
    return op.Range(op.Constant(value_int=0), op.Squeeze(count), op.Constant(value_int=1))
