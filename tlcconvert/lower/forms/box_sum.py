"""Sums over every full window in standard ONNX operators, O(HW) whatever the window.

    difference form:    box = CumSum(concat(sum(x[:k]), x[k:] - x[:-k]))        k = min(window, size)

The running sum carries window sums instead of prefix sums, so its rounding error stays that of one window:
float32 suffices for means. CumSum always runs on axis -2, where ONNX Runtime vectorises it; along the last
axis it is a scalar loop ten times slower. Columns are therefore summed on the transposed map, and after the
rows, of which fewer are left.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from onnxscript import ir
from onnxscript.onnx_types import TensorType

from tlcconvert.lower.forms.opset import integers, op

ROWS, COLUMNS = 2, 3
_FEW_PLANES: ContextVar[bool] = ContextVar("few planes", default=False)


@contextmanager
def few_planes() -> Iterator[None]:
    """While active, sums over rows are products with ones.

    In ONNX Runtime ReduceSum takes eight times as long as the product where N = C = 1; in OpenVINO the product takes
    longer.
    """
    token = _FEW_PLANES.set(True)
    try:
        yield
    finally:
        _FEW_PLANES.reset(token)


def effective(x: TensorType, axis: int, window: int) -> TensorType:
    """k = min(window, size of ``axis``) as int64 [1]."""
    return op.Min(op.Shape(x, start=axis, end=axis + 1), integers(window))


def area(x: TensorType, window_height: int, window_width: int) -> TensorType:
    """Pixels in one window, kh * kw, as int64 [1]."""
    return op.Mul(effective(x, ROWS, window_height), effective(x, COLUMNS, window_width))


def box_sum(
    x: TensorType, window_height: int, window_width: int, dtype: ir.DataType = ir.DataType.FLOAT
) -> TensorType:
    """Window sums [N, C, H-kh+1, W-kw+1] of x [N, C, H, W], both in ``dtype``."""
    return sum_columns(_sum_rows(x, window_height, dtype), window_width, dtype)


def sum_columns(x: TensorType, window: int, dtype: ir.DataType = ir.DataType.FLOAT) -> TensorType:
    """Sums [N, C, H, W-k+1] over k columns of x in ``dtype``."""
    if window == 1:
        return x
    return _transpose(_sum_rows(_transpose(x), window, dtype))


def split_rows(x: TensorType, window: int) -> tuple[TensorType, TensorType, TensorType]:
    """The k rows of the first window, and the H-k rows that enter and that leave as it moves down."""
    k = effective(x, ROWS, window)
    last = op.Sub(op.Shape(x, start=ROWS, end=ROWS + 1), k)
    first = op.Slice(x, integers(0), k, integers(ROWS))
    entering = op.Slice(x, k, integers(2**62), integers(ROWS))
    leaving = op.Slice(x, integers(0), last, integers(ROWS))
    return first, entering, leaving


def total(rows: TensorType, dtype: ir.DataType) -> TensorType:
    """[N, C, 1, W], sums over the rows of ``rows`` [N, C, k, W], both in ``dtype``."""
    if not _FEW_PLANES.get():
        return op.ReduceSum(rows, integers(ROWS), keepdims=1)
    shape = op.Concat(integers(1), op.Shape(rows, start=ROWS, end=ROWS + 1), axis=0)
    return op.MatMul(op.Expand(op.Constant(value=ir.tensor(1.0, dtype=dtype)), shape), rows)


def running_sum(first: TensorType, steps: TensorType) -> TensorType:
    """[N, C, H-k+1, W]: ``first`` [N, C, 1, W] and its running total with ``steps`` [N, C, H-k, W]."""
    return op.CumSum(op.Concat(first, steps, axis=ROWS), op.Constant(value_int=ROWS))


def _sum_rows(x: TensorType, window: int, dtype: ir.DataType) -> TensorType:
    if window == 1:
        return x
    first, entering, leaving = split_rows(x, window)
    return running_sum(total(first, dtype), op.Sub(entering, leaving))


def _transpose(x: TensorType) -> TensorType:
    return op.Transpose(x, perm=[0, 1, 3, 2])
