"""``tlc::grid_spread`` in standard ONNX operators: two products with the interpolation matrices of the axes."""

from __future__ import annotations

from typing import Any

from onnxscript import FLOAT, INT64
from onnxscript.onnx_types import TensorType

from passes.operators.grid_nodes import spacing
from tlcconvert.lower.forms.grid_nodes import interpolation, nodes
from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.replicate import replicate


def grid_spread(
    grid: FLOAT, height: INT64, width: INT64, window_height: int, window_width: int, ratio: int
) -> FLOAT:
    """Grid [..., gh, gw] spread over [..., height, width]; float32."""
    if spacing(window_height, ratio) == spacing(window_width, ratio) == 1:
        return replicate(grid, height, width)
    return spread(grid, *interpolations(height, width, window_height, window_width, ratio))


def interpolations(
    height: TensorType, width: TensorType, window_height: int, window_width: int, ratio: int
) -> tuple[TensorType, TensorType]:
    """float32 [height, gh] and [width, gw], the weights of the nodes along each axis."""
    rows, columns = (
        interpolation(nodes(op.Reshape(size, integers(1)), window, ratio))
        for size, window in ((height, window_height), (width, window_width))
    )
    return rows, columns


def spread(grid: TensorType, rows: TensorType, columns: TensorType) -> Any:
    """rows @ grid @ columns^T, [..., height, width]."""
    return op.MatMul(rows, op.MatMul(grid, op.Transpose(columns, perm=[1, 0])))
