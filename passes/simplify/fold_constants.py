"""Folds every subgraph that reads parameters only into one stored parameter.

Given::

    conv2d(k0, k1) ──► add(·, k2) ──► conv2d(x, ·)     # a kernel composed on every call

Result::

    k ──► conv2d(x, k)                     # k evaluated once, in float64, and stored in its dtype

Only the last constant before an activation is stored. Nothing that depends on an input, on its size or on a
random number is constant.
"""

from __future__ import annotations

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.emitter import substitute
from passes.program import refresh, where
from passes.result import PassResult, Rewrite, Skipped
from passes.simplify.exact_constants import ExactConstants

_KIND = "constant"
_LARGE = 2**20


def fold_constants(program: ExportedProgram) -> PassResult:
    """Evaluates parameter-only subgraphs once and stores the results as parameters.

    A constant that grew (an expanded bias, a position grid) past a million elements and past what it was
    computed from is left in place: storing it would trade a cheap operation for a large file. So is a parameter that
    is read in a wider dtype than it is stored in.
    """
    constants = ExactConstants(program)
    rewrites: list[Rewrite] = []
    skipped: list[Skipped] = []
    for node in [node for node in program.graph.nodes if _is_frontier(node, constants.nodes)]:
        sources = _sources(node)
        value = constants.exact(node)
        if value.numel() > max(_LARGE, sum(source.meta["val"].numel() for source in sources)):
            skipped.append(Skipped(_KIND, where(node), f"storing it would take {value.numel():,} elements"))
            continue
        operations = _count_operations(node)
        folded = constants.add(f"{node.name}_folded", value, node.meta["val"].dtype)
        substitute(node, folded)
        names = ", ".join(sorted(source.name for source in sources)) or "literals"
        before = f"{operations} operation{'s' if operations > 1 else ''} on {names}"
        rewrites.append(Rewrite(_KIND, where(node), before, f"one parameter {list(value.shape)}"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites), tuple(skipped))


def _is_frontier(node: fx.Node, constants: set[fx.Node]) -> bool:
    is_tensor = isinstance(node.meta.get("val"), torch.Tensor)
    return (
        node.op == "call_function"
        and is_tensor
        and node in constants
        and any(user not in constants for user in node.users)
        and not _widens_a_parameter(node)
    )


def _widens_a_parameter(node: fx.Node) -> bool:
    source = node.args[0] if node.target is torch.ops.aten._to_copy.default else None
    if not isinstance(source, fx.Node) or source.op != "placeholder":
        return False
    return bool(node.meta["val"].dtype.itemsize > source.meta["val"].dtype.itemsize)


def _ancestors(node: fx.Node) -> set[fx.Node]:
    seen, pending = {node}, [node]
    while pending:
        for source in pending.pop().all_input_nodes:
            if source not in seen:
                seen.add(source)
                pending.append(source)
    return seen


def _sources(node: fx.Node) -> list[fx.Node]:
    return [source for source in _ancestors(node) if source.op == "placeholder"]


def _count_operations(node: fx.Node) -> int:
    return sum(source.op == "call_function" for source in _ancestors(node))
