"""``tlc::local_variance`` in standard ONNX operators: mean(x^2) - mean(x)^2 in float64, clamped at 0.

The rows that enter (e) and leave (l) a window give its sum of squares the same step times one more sum:

    e^2 - l^2 = (e - l) (e + l)

so the map is sliced once, in float32.
"""

from __future__ import annotations

from onnxscript import FLOAT, ir
from onnxscript.onnx_types import TensorType

from tlcconvert.lower.forms.box_sum import area, running_sum, split_rows, sum_columns, total
from tlcconvert.lower.forms.opset import op

_DOUBLE = ir.DataType.DOUBLE


def local_variance(x: FLOAT, window_height: int, window_width: int) -> FLOAT:
    """Interior of biased variances [N, C, H-kh+1, W-kw+1]; float32 of float64 sums."""
    sums, squares = power_sums(x, window_height, window_width)
    _, variance = moments(sums, squares, area(x, window_height, window_width))
    return op.Cast(variance, to=ir.DataType.FLOAT)


def power_sums(x: TensorType, window_height: int, window_width: int) -> tuple[TensorType, TensorType]:
    """Window sums of x and of x^2, [N, C, H-kh+1, W-kw+1] each, float64 for float32 x."""
    if window_height == 1:
        sums = _double(x)
        squares = op.Mul(sums, sums)
    else:
        first, entering, leaving = (_double(rows) for rows in split_rows(x, window_height))
        steps = op.Sub(entering, leaving)
        square_steps = op.Mul(steps, op.Add(entering, leaving))
        sums = running_sum(total(first, _DOUBLE), steps)
        squares = running_sum(total(op.Mul(first, first), _DOUBLE), square_steps)
    return sum_columns(sums, window_width, _DOUBLE), sum_columns(squares, window_width, _DOUBLE)


def moments(sums: TensorType, squares: TensorType, count: TensorType) -> tuple[TensorType, TensorType]:
    """Mean and biased variance, float64, of ``count`` (int64) values with these sums of x and x^2."""
    weight = op.Reciprocal(_double(count))
    mean = op.Mul(sums, weight)
    zero = op.Constant(value=ir.tensor(0.0, dtype=_DOUBLE))
    return mean, op.Max(op.Sub(op.Mul(squares, weight), op.Mul(mean, mean)), zero)


def _double(x: TensorType) -> TensorType:
    return op.Cast(x, to=_DOUBLE)
