"""``tlc::grid_spread`` in standard ONNX operators: two products with the interpolation matrices of the axes."""

from __future__ import annotations

from onnxscript import FLOAT, INT64
from onnxscript.onnx_types import TensorType

from passes.operators.grid_nodes import spacing
from tlcconvert.lowering.grid_nodes import interpolation, nodes
from tlcconvert.lowering.opset import integers, op
from tlcconvert.lowering.replicate import replicate


def grid_spread(
    grid: FLOAT, height: INT64, width: INT64, window_height: int, window_width: int, ratio: int
) -> FLOAT:
    """Grid [..., gh, gw] spread over [..., height, width]; float32."""
    if spacing(window_height, ratio) == spacing(window_width, ratio) == 1:
        return replicate(grid, height, width)
    rows, columns = _matrix(height, window_height, ratio), _matrix(width, window_width, ratio)
    return op.MatMul(rows, op.MatMul(grid, op.Transpose(columns, perm=[1, 0])))


def _matrix(size: INT64, window: int, ratio: int) -> TensorType:
    return interpolation(nodes(op.Reshape(size, integers(1)), window, ratio))
