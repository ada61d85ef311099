"""Every extent is read once, so that what is computed of it is computed once.

Given      Shape(map of one layer)[2]  -> Min(., 36) -> ...      both maps [N, C, size_2, size_3]
           Shape(map of another)[2]    -> Min(., 36) -> ...

Result     Shape(map of one layer)[2]  -> Min(., 36) -> ...      read by both

The exporter notes on each value what its extents are, as expressions in the image's size; two that read the same are
the same. Common subexpressions, which are shared afterwards, then include the weights of windows: a network of forty
norms on five levels has five sets of them.
"""

from __future__ import annotations

import onnx_ir as ir

_Extents = tuple[int | str, ...]


def share_extents(graph: ir.Graph) -> None:
    """Lets the first ``Shape`` of some extents stand for the later ones, in place."""
    first: dict[_Extents, ir.Node] = {}
    for node in list(graph):
        extents = _extents_read(node)
        if extents is None:
            continue
        earlier = first.setdefault(extents, node)
        if earlier is not node:
            ir.convenience.replace_all_uses_with(node.outputs, earlier.outputs)
            graph.remove(node, safe=True)


def _extents_read(node: ir.Node) -> _Extents | None:
    """What ``Shape`` yields; None if the exporter does not say, or if another operator is meant."""
    source = node.inputs[0] if node.op_type == "Shape" and node.domain == "" else None
    if source is None or source.shape is None or node.outputs[0].is_graph_output():
        return None
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", len(source.shape))
    extents = tuple(
        extent.value if isinstance(extent, ir.SymbolicDim) else extent for extent in source.shape[start:end]
    )
    return None if None in extents else extents  # type: ignore[return-value]
