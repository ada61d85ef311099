"""Nodes in an order in which every value is there before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import onnx
from onnx import GraphProto, NodeProto

from tlcconvert.errors import InputError
from tlcconvert.shown_name import shown


def put_in_order(graph: GraphProto, outer: frozenset[str] = frozenset()) -> None:
    """Sorts the nodes of ``graph`` and of the graphs in it, in place.

    Args:
        outer: values of the graphs around it.

    Raises:
        InputError: a value is read that nothing makes, made twice, or made of itself.
    """
    given = {value.name for value in (*graph.input, *graph.initializer)} | outer
    maker: dict[str, int] = {}
    for number, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in maker or name in given - outer:
                raise InputError(f"The ONNX file is damaged: its value {shown(name)} is made twice.")
            maker[name] = number
    known = frozenset(given | maker.keys())
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for number, node in enumerate(graph.node):
        sorter.add(number)
        for name in _read_by(node):
            if name in maker:
                sorter.add(number, maker[name])
            elif name not in given:
                raise InputError(
                    f"The ONNX file is damaged: node {shown(node.name or node.op_type)} reads {shown(name)}, "
                    "which nothing makes."
                )
    missing = [value.name for value in graph.output if value.name not in known]
    if missing:
        raise InputError(f"The ONNX file is damaged: nothing makes its output {shown(missing[0])}.")
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        node = graph.node[error.args[1][0]]
        raise InputError(
            f"The ONNX file is damaged: node {shown(node.name or node.op_type)} reads what is made of its own result."
        ) from None
    if order != sorted(order):
        nodes = [graph.node[number] for number in order]
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)
    for node in graph.node:
        for inner in graphs_of(node):
            put_in_order(inner, known)


def graphs_of(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs among the attributes of ``node``."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _read_by(node: NodeProto) -> Iterator[str]:
    """Names of values that ``node`` and the graphs in it read from outside."""
    yield from filter(None, node.input)
    for graph in graphs_of(node):
        own = {value.name for value in (*graph.input, *graph.initializer)}
        own |= {name for inner in graph.node for name in inner.output}
        for inner in graph.node:
            yield from (name for name in _read_by(inner) if name not in own)
        yield from (value.name for value in graph.output if value.name not in own)
