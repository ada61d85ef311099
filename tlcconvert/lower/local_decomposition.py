"""Decomposing the few operations of a program that need it, each by itself.

Given      y = var(x)           and a table that says what var is made of

Result     m = mean(x);  d = x - m;  y = mean(d * d)

``ExportedProgram.run_decompositions`` does this by tracing the whole program again, which works out every size of
it anew and takes as long as its export. Here only the operations in the table are traced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.emitter import place_of
from passes.program import fake_mode, refresh, where
from passes.result import PassResult, Rewrite
from passes.torch_internals.names import enable_python_dispatcher, make_fx
from passes.torch_internals.undecided_sizes import undecided_sizes
from tlcconvert.torch_internals.run_decompositions import Table


def decompose(
    program: ExportedProgram, table: Table, is_meant: Callable[[fx.Node], bool] = lambda _: True
) -> PassResult:
    """Replaces every call of an operator in ``table`` that ``is_meant`` by what the table makes of it, in place."""
    found = [
        node
        for node in program.graph.nodes
        if node.op == "call_function" and node.target in table and is_meant(node)
    ]
    if not found:
        return PassResult()
    rewrites = [Rewrite("decomposition", where(node), str(node.target), "its parts") for node in found]
    for node in found:
        _inline(_traced(program, node, table), node)
    refresh(program)
    return PassResult(tuple(rewrites))


def _traced(program: ExportedProgram, node: fx.Node, table: Table) -> fx.Graph:
    """The decomposition of ``node`` as a graph of its input nodes."""
    inputs = node.all_input_nodes

    def call(*values: Any) -> Any:
        known = dict(zip(inputs, values, strict=True))
        # Called by itself, a composite operator would be taken apart PyTorch's way before the table is asked.
        return table[node.target](
            *fx.map_arg(node.args, known.__getitem__), **fx.map_arg(node.kwargs, known.__getitem__)
        )

    trace = make_fx(call, decomposition_table=dict(table))
    with fake_mode(program), enable_python_dispatcher(), torch.no_grad(), undecided_sizes():
        return trace(*(source.meta["val"] for source in inputs)).graph


def _inline(traced: fx.Graph, node: fx.Node) -> None:
    copied: dict[fx.Node, fx.Node] = {}
    sources = iter(node.all_input_nodes)
    result: Any = None
    with node.graph.inserting_before(node):
        for part in traced.nodes:
            if part.op == "placeholder":
                copied[part] = next(sources)
            elif part.op == "output":
                result = fx.map_arg(part.args[0], copied.__getitem__)
            else:
                copied[part] = node.graph.node_copy(part, copied.__getitem__)
                copied[part].meta = part.meta | place_of(node)
    _replace(node, result)


def _replace(node: fx.Node, result: Any) -> None:
    if isinstance(result, fx.Node):
        node.replace_all_uses_with(result)
    else:
        for reader in list(node.users):
            reader.replace_all_uses_with(result[reader.args[1]])
            node.graph.erase_node(reader)
    node.graph.erase_node(node)
