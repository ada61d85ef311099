"""Matrix products."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node


@operator("MatMul")
def matmul(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """As ``numpy.matmul``; with a weight of two axes it is a Linear."""
    if isinstance(b, nn.Parameter) and b.dim() == 2 and a.dim() > 1:
        return F.linear(a, b.t())
    return torch.matmul(a, b)


@operator("Gemm")
def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """``alpha * a @ b + beta * c``, either operand transposed first."""
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    a = a.t() if node.get("transA", 0) else a
    if alpha == 1 and beta == 1 and (c is None or c.dim() == 1) and a.is_floating_point():
        return F.linear(a, b if node.get("transB", 0) else b.t(), c)
    product = a @ (b.t() if node.get("transB", 0) else b)
    product = product if alpha == 1 else alpha * product
    if c is None:
        return product
    return product + (c if beta == 1 else beta * c)


@operator("Einsum")
def einsum(node: Node, *inputs: Tensor) -> Tensor:
    """The sum of products that ``equation`` names."""
    return torch.einsum(node.get("equation").replace(" ", ""), *inputs)
