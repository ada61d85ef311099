"""Operators that make tensors of numbers and shapes."""

from __future__ import annotations

import torch
from torch import Tensor

from tlcconvert.onnx_input.operators.arrangement import refuse_absurd
from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.dtypes import DTYPES
from tlcconvert.onnx_input.values.node import Node, Value
from tlcconvert.onnx_input.values.sizes import Sizes, array_of, sizes


@operator("Shape")
def shape(node: Node, x: Tensor) -> Sizes:
    """The extents of ``x``, those of the axes from ``start`` to ``end``."""
    return sizes(x.shape[node.get("start", 0) : node.get("end")])


@operator("Size")
def size(node: Node, x: Tensor) -> Sizes:
    """How many elements ``x`` has."""
    count = 1
    for extent in x.shape:
        count = count * extent
    return Sizes(array_of([count], ()))


@operator("ConstantOfShape", sizes=(0,))
def constant_of_shape(node: Node, extents: Value) -> Tensor:
    """A tensor of one ``value``, by default a float 0."""
    wanted = node.ints("", extents) or []
    refuse_absurd(node, wanted)
    value = node.get("value")
    if value is None:
        return torch.zeros(wanted)
    return torch.full(wanted, value.items[0], dtype=value.dtype)


@operator("Range", sizes=(0, 1, 2))
def range_(node: Node, start: Sizes, limit: Sizes, delta: Sizes) -> Tensor:
    """From ``start`` in steps of ``delta`` to before ``limit``."""
    (first,), (last,), (step,) = start.items, limit.items, delta.items
    if all(isinstance(number, int | float) for number in (first, last, step)):
        refuse_absurd(node, [int(abs((last - first) / step))])
    return torch.arange(first, last, step, dtype=start.dtype)


def _refused_type(node: Node) -> str:
    number = node.get("dtype")
    return "" if number is None or number in DTYPES else f"type {number} is not computed"


@operator("EyeLike", refusal=_refused_type)
def eye_like(node: Node, x: Tensor) -> Tensor:
    """A matrix of the shape of ``x`` with ones on the diagonal ``k``."""
    dtype = DTYPES[node.get("dtype")] if node.get("dtype") is not None else x.dtype
    rows, columns = (torch.arange(extent) for extent in x.shape)
    return (columns == rows.unsqueeze(1) + node.get("k", 0)).to(dtype)
