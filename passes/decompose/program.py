"""Replacing the ``tlc::`` operators of a program, and giving it symbolic sizes of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import sympy
import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import TensorArgument

from passes.decompose.emission import replace
from passes.decompose.fresh_sizes import FreshSizes
from passes.program import compute_values, graph_copy
from passes.simplify.common_subexpressions import share_common_subexpressions
from passes.sizes import expression
from passes.statistics import OPERATORS
from passes.torch_internals.guards import drop_guards

DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    operator.overload: operator.in_aten for operator in OPERATORS
}


def decompose(program: ExportedProgram, example: tuple[int, int]) -> ExportedProgram:
    """``program`` in ATen alone, with fresh symbols and no guards; ``program`` itself is not changed.

    This builds another program, on symbols of its own, and so is no pass: there is nothing in place to report on.
    The new program reads the tensors of the old one.

    Args:
        program: functional graph with symbolic batch, height and width.
        example: height and width, in pixels, of the image new symbols take their examples from; larger than
            the windows.
    """
    graph = graph_copy(program)
    for node in list(graph.nodes):
        if node.target in DECOMPOSITIONS:
            replace(node, DECOMPOSITIONS[node.target])
    _share_sizes(graph)
    share_common_subexpressions(graph)
    graph.eliminate_dead_code()
    fresh = FreshSizes(program, example)
    values = fresh.placeholders()
    for node in graph.nodes:
        # Everything else a node knows tells of the machine and the source it was captured on.
        node.meta = {"val": values[node.name]} if node.op == "placeholder" else {}
    compute_values(graph, fresh.mode)
    return _program(program, graph, fresh)


def _share_sizes(graph: fx.Graph) -> None:
    """Reads every size from the first map that has it, so that equal arithmetic on sizes becomes equal nodes."""
    first: dict[sympy.Expr, fx.Node] = {}
    for node in graph.find_nodes(op="call_function", target=torch.ops.aten.sym_size.int):
        source, axis = node.args
        if "val" not in source.meta:
            continue
        same = first.setdefault(expression(source.meta["val"].shape[axis]), node)
        if same is not node:
            node.replace_all_uses_with(same)
            graph.erase_node(node)


def _program(program: ExportedProgram, graph: fx.Graph, fresh: FreshSizes) -> ExportedProgram:
    """An exported program around ``graph``, with what ``program`` says of its inputs and outputs."""
    signature = copy.deepcopy(program.graph_signature)
    values = graph.output_node().args[0]
    assert isinstance(values, (tuple, list))
    for spec, value in zip(signature.output_specs, values, strict=True):
        assert isinstance(value, fx.Node)
        spec.arg = TensorArgument(name=value.name)
    decomposed = ExportedProgram(
        torch.nn.Module(),
        graph,
        signature,
        dict(program.state_dict),
        fresh.ranges,
        [entry for entry in program.module_call_graph if entry.fqn == ""],
        program.example_inputs,
        dict(program.constants),
        verifiers=program.verifiers,
    )
    drop_guards(decomposed)
    return decomposed
