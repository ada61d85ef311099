"""Bounds of slices that tools which infer symbolic shapes do not read.

Given      Slice(x, start, end)                 start or end computed from the size of the image

Result     Slice(x, Tile(start, [1]), Tile(end, [1]))

onnxruntime's symbolic shape inference, which its tools for quantisation, transformers and half precision begin with,
computes such a bound as an expression. Where it cannot tell whether an end lies before that of the axis, it takes the
slice for the whole axis, and onnxruntime then lets two maps of different sizes share a buffer. A ``Tile`` of one copy
is the value itself to every runtime, and none to the inference, which gives the slice an extent of its own.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

_START, _END = 1, 2


def keep_bounds_unread(graph: ir.Graph) -> None:
    """Puts one ``Tile`` before every computed bound of a slice of ``graph``, in place."""
    once = ir.Value(name="one_copy", const_value=ir.tensor(np.ones(1, np.int64), name="one_copy"))
    unread: dict[ir.Value, ir.Value] = {}
    for node in list(graph):
        if node.op_type != "Slice" or node.domain:
            continue
        for position in (_START, _END):
            bound = node.inputs[position]
            if bound is None or bound.is_initializer():
                continue
            if bound not in unread:
                unread[bound] = _tiled(graph, node, bound, once)
            node.replace_input_with(position, unread[bound])
    if unread:
        graph.register_initializer(once)


def _tiled(graph: ir.Graph, before: ir.Node, bound: ir.Value, once: ir.Value) -> ir.Value:
    tile = ir.node("Tile", [bound, once])
    tile.metadata_props.update(before.metadata_props)
    graph.insert_before(before, tile)
    return tile.outputs[0]
