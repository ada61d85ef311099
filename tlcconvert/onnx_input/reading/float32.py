"""float16 and bfloat16 to float32, everywhere in a model: weights, casts, constants, inputs and outputs."""

from __future__ import annotations

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper

from tlcconvert.onnx_input.reading.external_data import tensors_in
from tlcconvert.onnx_input.reading.order import graphs_of

HALF = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


def in_float32(model: ModelProto) -> bool:
    """Rewrites ``model`` in place; returns whether anything was of half precision."""
    changed = [_widened(tensor) for tensor in tensors_in(model.graph)]
    return any([*changed, _declared_in_float32(model.graph)])


def _widened(tensor: TensorProto) -> bool:
    if tensor.data_type not in HALF:
        return False
    wide = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)
    tensor.CopyFrom(wide)
    return True


def _declared_in_float32(graph: GraphProto) -> bool:
    declared = [value.type.tensor_type for value in (*graph.input, *graph.output, *graph.value_info)]
    half = [own for own in declared if own.elem_type in HALF]
    for own in half:
        own.elem_type = TensorProto.FLOAT
    casts = [
        attribute
        for node in graph.node
        for attribute in node.attribute
        if attribute.name in ("to", "dtype") and attribute.i in HALF
    ]
    for attribute in casts:
        attribute.i = TensorProto.FLOAT
    inner = [_declared_in_float32(own) for node in graph.node for own in graphs_of(node)]
    return bool(half or casts) or any(inner)
