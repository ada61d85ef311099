"""``tlc::spread_product`` in standard ONNX operators: the spread grid and a Mul."""

from __future__ import annotations

from onnxscript import FLOAT

from tlcconvert.lower.forms.grid_spread import grid_spread
from tlcconvert.lower.forms.opset import op


def spread_product(x: FLOAT, grid: FLOAT, window_height: int, window_width: int, ratio: int) -> FLOAT:
    """x [..., H, W] times grid [..., gh, gw] spread over H x W; float32."""
    size = op.Shape(x, start=-2, end=-1), op.Shape(x, start=-1)
    return op.Mul(x, grid_spread(grid, *size, window_height, window_width, ratio))
