"""``tlc::local_mean`` in standard ONNX operators: window sums in difference form times 1 / (kh * kw)."""

from __future__ import annotations

from onnxscript import FLOAT, ir

from tlcconvert.lower.forms.box_sum import area, box_sum
from tlcconvert.lower.forms.opset import op


def local_mean(x: FLOAT, window_height: int, window_width: int) -> FLOAT:
    """Interior of windowed means [N, C, H-kh+1, W-kw+1]; float32, |error| <= 1e-5 of the largest mean."""
    if window_height == window_width == 1:
        return op.Identity(x)
    weight = op.Reciprocal(op.Cast(area(x, window_height, window_width), to=ir.DataType.FLOAT))
    return op.Mul(box_sum(x, window_height, window_width), weight)
