"""``tlc::grid_normalize`` in standard ONNX operators: float64 statistics at the nodes, spread in float32.

    y = ((x - level) - spread(mean - level)) / sqrt(spread(var + eps))

``level`` is a group's mean over all nodes. Spreading what the means differ by keeps the rounding of the weights,
2^-24 of what they multiply, from being one of the level.
"""

from __future__ import annotations

from onnxscript import FLOAT, ir
from onnxscript.onnx_types import TensorType

from passes.operators.grid_nodes import spacing
from tlcconvert.lower.forms.box_sum import area
from tlcconvert.lower.forms.grid_spread import interpolations, spread
from tlcconvert.lower.forms.grid_sum import grid_power_sums
from tlcconvert.lower.forms.local_normalize import local_normalize
from tlcconvert.lower.forms.local_variance import moments
from tlcconvert.lower.forms.opset import integers, op


def grid_normalize(
    x: FLOAT, window_height: int, window_width: int, groups: int, eps: float, ratio: int
) -> FLOAT:
    """x [N, C, H, W] normalised by the spread statistics of its groups of channels; float32."""
    if spacing(window_height, ratio) == spacing(window_width, ratio) == 1:
        return local_normalize(x, window_height, window_width, groups, eps)
    size = op.Shape(x, start=2, end=3), op.Shape(x, start=3)
    by_group = op.Reshape(x, op.Concat(integers(0, groups, -1), *size, axis=0))
    sums, squares = (
        op.ReduceSum(_by_group(power, groups), integers(2), keepdims=0)
        for power in grid_power_sums(x, window_height, window_width, ratio)
    )
    count = op.Mul(area(x, window_height, window_width), op.Shape(by_group, start=2, end=3))
    mean, variance = moments(sums, squares, count)
    level = _float(op.ReduceMean(mean, integers(-2, -1), keepdims=1))
    offset = _float(op.Sub(mean, op.Cast(level, to=ir.DataType.DOUBLE)))
    stabilised = _float(op.Add(variance, op.Constant(value=ir.tensor(eps, dtype=ir.DataType.DOUBLE))))
    rows, columns = interpolations(*size, window_height, window_width, ratio)
    offset, stabilised = (
        op.Unsqueeze(spread(grid, rows, columns), integers(2)) for grid in (offset, stabilised)
    )
    centred = op.Sub(op.Sub(by_group, op.Unsqueeze(level, integers(2))), offset)
    return op.Reshape(op.Div(centred, op.Sqrt(stabilised)), op.Shape(x))


def _by_group(grid: TensorType, groups: int) -> TensorType:
    """[N, groups, C / groups, gh, gw] of a grid [N, C, gh, gw]."""
    return op.Reshape(grid, op.Concat(integers(0, groups, -1), op.Shape(grid, start=2), axis=0))


def _float(x: TensorType) -> TensorType:
    return op.Cast(x, to=ir.DataType.FLOAT)
