"""Rounds what a file computes to bfloat16, as processors with bfloat16 do: a way to see the loss on any other.

python stored_in_bfloat16.py MODEL OUTPUT

As in OpenVINO, all that depends on a convolution or product is stored in bfloat16, float64 too, and so are the
weights; each operator computes in its own type. The image and the output stay as they are.
"""

import sys

import ml_dtypes
import onnx
from onnx import TensorProto, helper, numpy_helper

PRODUCTS = {"Conv", "ConvTranspose", "MatMul", "Gemm"}
ROUNDED = {TensorProto.FLOAT, TensorProto.DOUBLE}


def round_weights(graph: onnx.GraphProto) -> None:
    for weight in graph.initializer:
        if weight.data_type in ROUNDED:
            values = numpy_helper.to_array(weight)
            rounded = values.astype(ml_dtypes.bfloat16).astype(values.dtype)
            weight.CopyFrom(numpy_helper.from_array(rounded, weight.name))


def round_results(graph: onnx.GraphProto, lowered: set[str]) -> None:
    """Behind each node that computes from a name in ``lowered``, or a product: its results, rounded."""
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    kept = {value.name for value in graph.output}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        bodies = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
        if node.op_type not in PRODUCTS and not lowered.intersection(node.input):
            continue
        lowered.update(node.output)
        for body in bodies:
            round_results(body, lowered | {value.name for value in body.input})
        for position, name in enumerate(node.output):
            if types.get(name) not in ROUNDED or name in kept:
                continue
            node.output[position] = exact = f"{name}_exact"
            stored = f"{name}_stored"
            nodes.append(
                helper.make_node("Cast", [exact], [stored], f"{name}_store", to=TensorProto.BFLOAT16)
            )
            nodes.append(helper.make_node("Cast", [stored], [name], f"{name}_load", to=types[name]))
    del graph.node[:]
    graph.node.extend(nodes)


source, output = sys.argv[1:]
model = onnx.shape_inference.infer_shapes(onnx.load(source))
round_weights(model.graph)
round_results(model.graph, set())
onnx.save(model, output)
