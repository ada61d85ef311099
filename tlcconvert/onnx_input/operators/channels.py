"""Softmax and its relatives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node


def _along_axis(node: Node, x: Tensor, function: Callable[[Tensor, int], Tensor]) -> Tensor:
    """``function`` along ``axis``; before opset 13, along ``axis`` and all behind it as one."""
    if node.opset >= 13:
        return function(x, node.get("axis", -1))
    axis = node.get("axis", 1) % max(x.dim(), 1)
    if axis == x.dim() - 1:
        return function(x, -1)
    return function(x.flatten(axis), -1).reshape(x.shape)


@operator("Softmax")
def softmax(node: Node, x: Tensor) -> Tensor:
    """``exp(x) / sum(exp(x))``."""
    return _along_axis(node, x, lambda y, axis: torch.softmax(y, axis))


@operator("LogSoftmax")
def log_softmax(node: Node, x: Tensor) -> Tensor:
    """``log(softmax(x))``."""
    return _along_axis(node, x, lambda y, axis: torch.log_softmax(y, axis))


@operator("Hardmax")
def hardmax(node: Node, x: Tensor) -> Tensor:
    """1 at the first largest, else 0."""

    def first_largest(y: Tensor, axis: int) -> Tensor:
        place = (y == y.amax(axis, keepdim=True)).int().argmax(axis, keepdim=True)
        return torch.zeros_like(y).scatter(axis, place, 1.0)

    return _along_axis(node, x, first_largest)
