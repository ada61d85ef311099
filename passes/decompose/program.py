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

import passes.operators  # noqa: F401  registers torch.ops.tlc
from passes.decompose.emission import replace
from passes.decompose.fresh_sizes import FreshSizes
from passes.decompose.grid import grid_mean, grid_normalize, grid_spread, grid_variance, spread_product
from passes.decompose.local_max import local_max
from passes.decompose.local_mean import local_mean
from passes.decompose.local_normalize import local_normalize
from passes.decompose.local_softmax_mean import local_softmax_mean
from passes.decompose.local_variance import local_variance
from passes.decompose.resample import nearest, replicate, replicated_product
from passes.decompose.window_attention import window_attention
from passes.program import compute_values, graph_copy
from passes.simplify.common_subexpressions import share_common_subexpressions
from passes.sizes import expression
from passes.torch_internals.guards import drop_guards

tlc = torch.ops.tlc

DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    tlc.grid_mean.default: grid_mean,
    tlc.grid_normalize.default: grid_normalize,
    tlc.grid_spread.default: grid_spread,
    tlc.grid_variance.default: grid_variance,
    tlc.local_max.default: local_max,
    tlc.local_mean.default: local_mean,
    tlc.local_normalize.default: local_normalize,
    tlc.local_softmax_mean.default: local_softmax_mean,
    tlc.local_variance.default: local_variance,
    tlc.nearest.default: nearest,
    tlc.replicate.default: replicate,
    tlc.replicated_product.default: replicated_product,
    tlc.spread_product.default: spread_product,
    tlc.window_attention.default: window_attention,
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
