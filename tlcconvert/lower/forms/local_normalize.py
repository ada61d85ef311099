"""``tlc::local_normalize`` in standard ONNX operators: float64 sums, then a subtraction in two float32 parts.

    mean = high + low        high = float32(mean), low = float32(mean - high)
    y = ((x - high) - low) / sqrt(var + eps)

x - high is exact where the two are close (Sterbenz), so this keeps what a float64 subtraction would, at half
the memory traffic.
"""

from __future__ import annotations

from typing import Any, cast

from onnxscript import FLOAT, ir
from onnxscript.onnx_types import TensorType

from tlcconvert.lower.forms.box_sum import area, box_sum
from tlcconvert.lower.forms.local_variance import moments, power_sums
from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.replicate import replicate
from tlcconvert.lower.forms.split_map import channels


def local_normalize(x: FLOAT, window_height: int, window_width: int, groups: int, eps: float) -> FLOAT:
    """x [N, C, H, W] normalised by the statistics of each pixel's window and group; float32."""
    count = area(x, window_height, window_width)
    if groups == channels(cast(ir.Value, x)):
        sums, squares = power_sums(x, window_height, window_width)
        return _normalize(x, *moments(sums, squares, count), eps)
    by_group = op.Reshape(x, op.Concat(integers(0, groups, -1), op.Shape(x, start=2, end=4), axis=0))
    pixels = op.Cast(by_group, to=ir.DataType.DOUBLE)
    sums, squares = (
        op.Unsqueeze(box_sum(power, window_height, window_width, ir.DataType.DOUBLE), integers(2))
        for power in (
            op.ReduceSum(pixels, integers(2), keepdims=0),
            op.ReduceSumSquare(pixels, integers(2), keepdims=0),
        )
    )
    count = op.Mul(count, op.Shape(by_group, start=2, end=3))
    return op.Reshape(_normalize(by_group, *moments(sums, squares, count), eps), op.Shape(x))


def _normalize(x: TensorType, mean: TensorType, variance: TensorType, eps: float) -> Any:
    """x [..., H, W] less mean over deviation, interiors [..., h, w] in float64."""
    high = op.Cast(mean, to=ir.DataType.FLOAT)
    low = op.Cast(op.Sub(mean, op.Cast(high, to=ir.DataType.DOUBLE)), to=ir.DataType.FLOAT)
    squared = op.Add(variance, op.Constant(value=ir.tensor(eps, dtype=ir.DataType.DOUBLE)))
    scale = op.Reciprocal(op.Sqrt(op.Cast(squared, to=ir.DataType.FLOAT)))
    size = op.Shape(x, start=-2, end=-1), op.Shape(x, start=-1)
    centred = op.Sub(op.Sub(x, replicate(high, *size)), replicate(low, *size))
    return op.Mul(centred, replicate(scale, *size))
