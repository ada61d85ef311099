"""``tlc::replicated_product`` in standard ONNX operators: an edge Pad and a Mul."""

from __future__ import annotations

from onnxscript import FLOAT

from tlcconvert.lower.forms.opset import op
from tlcconvert.lower.forms.replicate import replicate


def replicated_product(x: FLOAT, interior: FLOAT) -> FLOAT:
    """x [..., H, W] times interior [..., h, w] edge-padded to H x W."""
    return op.Mul(x, replicate(interior, op.Shape(x, start=-2, end=-1), op.Shape(x, start=-1)))
