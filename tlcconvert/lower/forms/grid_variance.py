"""``tlc::grid_variance`` in standard ONNX operators: mean(x^2) - mean(x)^2 in float64, clamped at 0."""

from __future__ import annotations

from onnxscript import FLOAT, ir

from passes.operators.grid_nodes import spacing
from tlcconvert.lower.forms.box_sum import area
from tlcconvert.lower.forms.grid_sum import grid_power_sums
from tlcconvert.lower.forms.local_variance import local_variance, moments
from tlcconvert.lower.forms.opset import op


def grid_variance(x: FLOAT, window_height: int, window_width: int, ratio: int) -> FLOAT:
    """Biased variances [N, C, gh, gw] of the windows at the nodes of the grid; float32 of float64 sums."""
    if spacing(window_height, ratio) == spacing(window_width, ratio) == 1:
        return local_variance(x, window_height, window_width)
    sums, squares = grid_power_sums(x, window_height, window_width, ratio)
    _, variance = moments(sums, squares, area(x, window_height, window_width))
    return op.Cast(variance, to=ir.DataType.FLOAT)
