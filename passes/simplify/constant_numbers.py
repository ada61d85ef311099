"""Numbers read from parameters are written as numbers.

Given::

    k ──► item() ──► pow(x, ·)             # a parameter read into Python on every call

Result::

    pow(x, 0.2)

The exporter records the read and takes the number for one that may differ from call to call.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.program import constant_nodes, evaluate_constant, refresh, where
from passes.result import PassResult, Rewrite

_READS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.item.default)


def constant_numbers(program: ExportedProgram) -> PassResult:
    """Replaces every number read from a constant tensor by its value, in place."""
    constants = constant_nodes(program)
    numbers = {
        node: evaluate_constant(program, node)
        for node in program.graph.nodes
        if node.target in _READS and node in constants
    }
    if not numbers:
        return PassResult()

    def number_or_node(node: fx.Node) -> Any:
        return numbers.get(node, node)

    for user in [user for node in numbers for user in node.users]:
        user.args = fx.map_arg(user.args, number_or_node)
        user.kwargs = fx.map_arg(user.kwargs, number_or_node)
    rewrites = [
        Rewrite("constant", where(node), str(node.target), str(number)) for node, number in numbers.items()
    ]
    refresh(program)
    return PassResult(tuple(rewrites))
