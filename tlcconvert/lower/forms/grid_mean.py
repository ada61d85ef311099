"""``tlc::grid_mean`` in standard ONNX operators: window sums at the nodes times 1 / (kh * kw)."""

from __future__ import annotations

from onnxscript import FLOAT, ir

from passes.operators.grid_nodes import spacing
from tlcconvert.lower.forms.box_sum import area
from tlcconvert.lower.forms.grid_sum import grid_sum
from tlcconvert.lower.forms.local_mean import local_mean
from tlcconvert.lower.forms.opset import op


def grid_mean(x: FLOAT, window_height: int, window_width: int, ratio: int) -> FLOAT:
    """Means [N, C, gh, gw] of the windows at the nodes of the grid; float32."""
    if spacing(window_height, ratio) == spacing(window_width, ratio) == 1:
        return local_mean(x, window_height, window_width)
    weight = op.Reciprocal(op.Cast(area(x, window_height, window_width), to=ir.DataType.FLOAT))
    return op.Mul(grid_sum(x, window_height, window_width, ratio), weight)
