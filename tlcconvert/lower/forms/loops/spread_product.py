"""``tlc::spread_product`` in standard ONNX operators, a few planes at a time."""

from __future__ import annotations

from typing import cast

from onnxscript import FLOAT, ir

from passes.operators.grid_nodes import spacing
from tlcconvert.lower.forms.grid_spread import interpolations, spread
from tlcconvert.lower.forms.loops.slabs import by_slabs, in_slabs
from tlcconvert.lower.forms.opset import op
from tlcconvert.lower.forms.replicated_product import replicated_product


def spread_product_in_slabs(
    x: FLOAT, grid: FLOAT, window_height: int, window_width: int, ratio: int
) -> FLOAT:
    """x [N, C, H, W] times grid [N, C, gh, gw] spread over H x W; all slabs share the interpolation."""
    if spacing(window_height, ratio) == spacing(window_width, ratio) == 1:
        return in_slabs(replicated_product)(x, grid)
    size = op.Shape(x, start=2, end=3), op.Shape(x, start=3)
    rows, columns = interpolations(*size, window_height, window_width, ratio)
    maps = [cast(ir.Value, part) for part in (x, grid)]
    return by_slabs(maps, lambda pixels, nodes: op.Mul(pixels, spread(nodes, rows, columns)))
