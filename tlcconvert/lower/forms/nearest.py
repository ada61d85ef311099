"""``tlc::nearest`` in standard ONNX operators: rows gathered, columns gathered as rows of the transposed map.

Resize computes positions in float32 and may pick a neighbour; Gather on the last axis copies single elements.
"""

from __future__ import annotations

from onnxscript import FLOAT, INT64
from onnxscript.onnx_types import TensorType

from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.whole_numbers import numbers


def nearest(x: FLOAT, height: INT64, width: INT64) -> FLOAT:
    """x [N, C, H, W] resampled to [N, C, height, width]."""
    rows = _resample_rows(x, height)
    columns = _resample_rows(op.Transpose(rows, perm=[0, 1, 3, 2]), width)
    return op.Transpose(columns, perm=[0, 1, 3, 2])


def _resample_rows(x: TensorType, target: TensorType) -> TensorType:
    """Row i takes row (2i + 1) * source // (2 * target)."""
    target = op.Reshape(target, integers(1))
    index = numbers(target)
    centre = op.Add(op.Mul(index, integers(2)), integers(1))
    source = op.Div(op.Mul(centre, op.Shape(x, start=2, end=3)), op.Mul(target, integers(2)))
    return op.Gather(x, source, axis=2)
