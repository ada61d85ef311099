"""``tlc::replicate`` in standard ONNX operators: one edge Pad over both axes."""

from __future__ import annotations

from onnxscript import FLOAT, INT64

from tlcconvert.lower.forms.opset import integers, op


def replicate(interior: FLOAT, height: INT64, width: INT64) -> FLOAT:
    """Interior [..., h, w] edge-padded to [..., height, width]."""
    size = op.Concat(op.Reshape(height, integers(1)), op.Reshape(width, integers(1)), axis=0)
    missing = op.Sub(size, op.Shape(interior, start=-2))
    before = op.Div(missing, integers(2))
    padding = op.Concat(before, op.Sub(missing, before), axis=0)
    return op.Pad(interior, padding, None, integers(-2, -1), mode="edge")
