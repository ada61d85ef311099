"""The nodes of a grid of windows, along one axis, in standard ONNX operators (see passes/operators/grid_nodes).

Two matrices per axis do everything that depends on where the nodes are: ``coverage`` sums the pixels of each
node's window, ``interpolation`` spreads the nodes' values back over the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnxscript import ir
from onnxscript.onnx_types import TensorType

from passes.operators.grid_nodes import spacing
from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.whole_numbers import covered, numbers


@dataclass(frozen=True)
class Nodes:
    """The nodes of an axis.

    Attributes:
        size: pixels of the axis, int64 [1].
        k: pixels of a window, int64 [1].
        starts: first pixel of each node's window, int64 [nodes].
        spacing: pixels between nodes, but before the last.
    """

    size: TensorType
    k: TensorType
    starts: TensorType
    spacing: int


def nodes(size: TensorType, window: int, ratio: int) -> Nodes:
    """The nodes of an axis of ``size`` (int64 [1]) pixels."""
    step = spacing(window, ratio)
    k = op.Min(size, integers(window))
    last = op.Sub(size, k)
    regular = op.Range(op.Constant(value_int=0), op.Squeeze(last), op.Constant(value_int=step))
    return Nodes(size, k, op.Concat(regular, last, axis=0), step)


def coverage(axis: Nodes) -> TensorType:
    """float32 [nodes, size], 1 where the node's window covers the pixel."""
    return covered(numbers(axis.size), op.Unsqueeze(axis.starts, integers(1)), axis.k)


def interpolation(axis: Nodes) -> TensorType:
    """float32 [size, nodes]: the weights of each pixel's neighbouring nodes, not negative, with sum 1.

    Node j has a hat: 1 at its start, 0 at the starts before and after. The first has no rising side within the
    axis and the last no falling one; there the neighbour stands a step outside.
    """
    previous = op.Mul(op.Sub(numbers(op.Shape(axis.starts)), integers(1)), integers(axis.spacing))
    following = op.Max(
        op.Min(op.Add(previous, integers(2 * axis.spacing)), op.Sub(axis.size, axis.k)),
        op.Add(axis.starts, integers(1)),
    )
    centred = op.Sub(numbers(axis.size), op.Div(op.Sub(axis.k, integers(1)), integers(2)))
    start = op.Unsqueeze(op.Max(op.Min(centred, op.Sub(axis.size, axis.k)), integers(0)), integers(1))
    rising = _quotient(op.Sub(start, previous), op.Sub(axis.starts, previous))
    falling = _quotient(op.Sub(following, start), op.Sub(following, axis.starts))
    return op.Relu(op.Min(rising, falling))


def _quotient(a: TensorType, b: TensorType) -> TensorType:
    return op.Div(op.Cast(a, to=ir.DataType.FLOAT), op.Cast(b, to=ir.DataType.FLOAT))
