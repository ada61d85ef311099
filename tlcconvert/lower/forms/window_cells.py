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

A family of length 0 has no cells; each would be of one pixel, as some runtimes take an extent of 0 for another axis.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnxscript import ir

from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.whole_numbers import ceil_divide, covered, numbers


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
    n = op.Max(ceil_divide(size, k), integers(2))
    last = op.Sub(n, integers(1))
    free = op.Sub(size, k)
    step = op.Where(op.Equal(n, integers(2)), k, ceil_divide(free, last))
    r = op.Sub(op.Mul(last, step), free)
    ov = op.Sub(k, step)
    m = op.Sub(op.Sub(step, ov), r)

    def starts(
        length: ir.Value, count: ir.Value, first: ir.Value, moved: ir.Value, since: ir.Value
    ) -> ir.Value:
        i = numbers(op.Where(op.Greater(length, integers(0)), count, integers(0)))
        is_moved = op.Cast(op.GreaterOrEqual(i, since), to=ir.DataType.INT64)
        return op.Add(op.Add(op.Mul(i, step), first), op.Mul(is_moved, moved))

    families = [
        (starts(ov, op.Add(n, integers(1)), op.Sub(r, r), op.Neg(r), last), ov),
        (starts(m, n, ov, r, n), m),
        (starts(r, last, op.Sub(step, r), ov, op.Sub(n, integers(2))), r),
    ]
    pixels = [
        op.Add(op.Unsqueeze(start, integers(1)), numbers(op.Max(length, integers(1))))
        for start, length in families
    ]
    window_starts = op.Unsqueeze(op.Min(op.Mul(numbers(n), step), free), integers(1))
    return Cells(pixels, [covered(start, window_starts, k) for start, _ in families], n)


def mean_over_windows(covered: ir.Value) -> ir.Value:
    """float32 [cells, n], averages over the windows that cover each cell, of ``covered`` [n, cells]."""
    return op.Transpose(op.Div(covered, op.ReduceSum(covered, integers(0), keepdims=1)), perm=[1, 0])
