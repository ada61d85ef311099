"""Casts."""

from __future__ import annotations

from onnx import TensorProto
from torch import Tensor

from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.dtypes import DTYPES
from tlcconvert.onnx_input.values.node import Node


def _refused_cast(node: Node) -> str:
    number = node.get("to", TensorProto.FLOAT)
    return "" if number in DTYPES else f"a cast to type {number} is not computed"


@operator("Cast", refusal=_refused_cast)
def cast(node: Node, x: Tensor) -> Tensor:
    """To the type ``to``; fractions are cut off, and whatever is not 0 is true."""
    return x.to(DTYPES[node.get("to")])


@operator("CastLike")
def cast_like(node: Node, x: Tensor, like: Tensor) -> Tensor:
    """To the type of ``like``."""
    return x.to(like.dtype)
