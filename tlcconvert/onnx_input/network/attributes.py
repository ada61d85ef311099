"""Nodes and weights out of protobuf."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from onnx import AttributeProto, NodeProto, TensorProto, numpy_helper
from torch import Tensor

from tlcconvert.errors import InputError
from tlcconvert.onnx_input.reading.model_file import kind_of
from tlcconvert.onnx_input.values.dtypes import DTYPES
from tlcconvert.onnx_input.values.node import Node
from tlcconvert.onnx_input.values.sizes import Sizes, sizes_of
from tlcconvert.shown_name import shown, shown_text


def node_of(proto: NodeProto, name: str, opsets: dict[str, int]) -> Node:
    """``proto`` under a ``name`` of its own."""
    attributes = {own.name: _attribute(own) for own in proto.attribute if own.type != AttributeProto.GRAPH}
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    inputs = list(proto.input)
    while inputs and not inputs[-1]:
        inputs.pop()
    return Node(kind_of(proto), name, tuple(inputs), tuple(proto.output), attributes, opsets.get(domain, 1))


def _attribute(proto: AttributeProto) -> Any:
    if proto.type == AttributeProto.TENSOR:
        return _few(tensor_in(proto.t), proto.name)
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return list(value) if proto.type in (AttributeProto.INTS, AttributeProto.FLOATS) else value


def _few(tensor: Tensor, name: str) -> Sizes:
    if tensor.numel() != 1:
        raise InputError(f"Attribute {shown(name)} of the ONNX file has {tensor.numel()} elements, not one.")
    return sizes_of(tensor)


def tensor_in(proto: TensorProto) -> Tensor:
    """The values of ``proto``.

    Raises:
        InputError: they are of another size or type than it says.
    """
    if proto.data_type not in DTYPES:
        kind = (
            TensorProto.DataType.Name(proto.data_type)
            if proto.data_type in TensorProto.DataType.values()
            else "?"
        )
        raise InputError(f"Weight {shown(proto.name)} of the ONNX file is of type {kind}, which is not read.")
    try:
        array = numpy_helper.to_array(proto)
        return torch.from_numpy(np.ascontiguousarray(array).copy().reshape(tuple(proto.dims)))
    except Exception as error:
        raise InputError(
            f"Weight {shown(proto.name)} of the ONNX file is damaged: {shown_text(error)}."
        ) from error


def constant_in(proto: NodeProto) -> Tensor:
    """The value of a Constant.

    Raises:
        InputError: it is damaged, text, or sparse.
    """
    for attribute in proto.attribute:
        if attribute.name == "value":
            return tensor_in(attribute.t)
        if attribute.name in ("value_int", "value_ints", "value_float", "value_floats"):
            dtype = torch.int64 if "int" in attribute.name else torch.float32
            return torch.tensor(onnx.helper.get_attribute_value(attribute), dtype=dtype)
    raise InputError(
        f"The constant {shown(proto.output[0])} of the ONNX file is text or sparse, which is not read."
    )
