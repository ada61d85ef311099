"""Names that show in a viewer which part of the network a node belongs to.

    decoders.0.conv1/Conv                     a layer: the module's path and the operator
    decoders.0.sca/local_mean/ReduceMean_3    a statistic: its name too, here the fourth such operator of it
    decoders.0.sca/local_mean/Scan/Mul        in the body of a loop: the node around it
    decoders.0.sca.fc.weight                  a weight: as the state dict has it, or as the fold that made it
    constant_7                                a number that is no weight

A value is called like the node that computes it. No name is used twice in a model: converters to half precision keep
those of all bodies in one table. The exporter notes module and operator on every node.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator

import onnx_ir as ir

_SCOPES = "pkg.torch.onnx.name_scopes"
_OPERATORS = "pkg.torch.onnx.class_hierarchy"


def name_by_place(model: ir.Model, weights: Collection[str]) -> None:
    """Gives every node, and every value but inputs, outputs and ``weights``, a name of its own, in place.

    Args:
        model: as exported, without functions; its nodes have the exporter's metadata, those of bodies none.
        weights: names of initializers that stay.
    """
    graph = model.graph
    public = {value.name or "" for value in (*graph.inputs, *graph.outputs)}
    names = _Names({*weights, *public})
    for value in list(graph.initializers.values()):
        if value.name not in weights:
            value.name = names.free("constant")
    _name_nodes(graph, names, public)


class _Names:
    """Names no two of which are the same.

    Args:
        taken: those that are given already.
    """

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._last: Counter[str] = Counter()

    def free(self, wanted: str) -> str:
        """``wanted``, with the first number behind it that makes it new if it is taken."""
        name = wanted
        while name in self._taken:
            self._last[wanted] += 1
            name = f"{wanted}_{self._last[wanted]}"
        self._taken.add(name)
        return name


def _name_nodes(graph: ir.Graph, names: _Names, public: Collection[str] = (), around: str = "") -> None:
    for node in graph:
        name = node.name = names.free((around or _place(node)) + node.op_type)
        for index, value in enumerate(node.outputs):
            if value.name and value.name not in public:
                value.name = name if index == 0 else names.free(f"{name}_output_{index}")
        for body in _bodies(node):
            for value in body.inputs:
                value.name = names.free(f"{name}/input")
            _name_nodes(body, names, around=f"{name}/")


def _bodies(node: ir.Node) -> Iterator[ir.Graph]:
    for attribute in node.attributes.values():
        if attribute.type is ir.AttributeType.GRAPH:
            yield attribute.as_graph()


def _place(node: ir.Node) -> str:
    """``"decoders.0.sca/local_mean/"``; empty for a layer of no module."""
    scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "[]"))
    operators = ast.literal_eval(node.metadata_props.get(_OPERATORS, "[]"))
    module = scopes[-2].removeprefix("L['self'].") if len(scopes) > 1 else ""
    namespace, _, operator = operators[-1].partition(".") if operators else ("", "", "")
    statistic = operator.partition(".")[0] if namespace == "tlc" else ""
    return "".join(f"{part}/" for part in (module, statistic) if part)
