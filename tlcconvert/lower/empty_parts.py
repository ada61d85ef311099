"""Nothing is computed that has no elements.

Given      Concat(MatMul(a [0, 4], b), c [3, 8]) -> [3, 8]

Result     c

Statistics that cut an axis into families of cells have families without cells at some sizes. At one size they are
constants without elements, which OpenVINO takes for scalars and OpenCV does not read.
"""

from __future__ import annotations

import onnx_ir as ir


def drop_empty_parts(graph: ir.Graph) -> None:
    """Takes what has no elements out of every ``Concat`` of ``graph``, in place; who computed it may be dead then.

    Args:
        graph: its values have shapes, as far as these are known.
    """
    for node in list(graph):
        if node.op_type != "Concat" or node.domain or _is_empty(node.outputs[0]):
            continue
        kept = [part for part in node.inputs if part is not None and not _is_empty(part)]
        if len(kept) == len(node.inputs):
            continue
        (joined,) = node.outputs
        if len(kept) == 1 and not joined.is_graph_output():
            whole = kept[0]
        else:
            shorter = ir.node("Concat", kept, node.attributes, name=node.name)
            graph.insert_before(node, shorter)
            (whole,) = shorter.outputs
            whole.name, whole.shape, whole.type = joined.name, joined.shape, joined.type
        ir.convenience.replace_all_uses_with(joined, whole, replace_graph_outputs=True)
        graph.remove(node, safe=True)


def _is_empty(value: ir.Value) -> bool:
    return value.shape is not None and 0 in value.shape
