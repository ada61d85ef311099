"""Equal computations are done once.

    Given    a = f(x, 3);  b = f(x, 3);  g(a, b)
    Result   a = f(x, 3);  g(a, a)

Two nodes are equal when they call the same operator on the same nodes and numbers; operators that draw at
random never are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from passes.result import PassResult, Rewrite


def share_common_subexpressions(graph: fx.Graph) -> PassResult:
    """Merges equal nodes in place. The caller refreshes the program."""
    first: dict[Any, fx.Node] = {}
    merged = 0
    for node in list(graph.nodes):
        if node.op != "call_function" or torch.Tag.nondeterministic_seeded in getattr(
            node.target, "tags", ()
        ):
            continue
        same = first.setdefault(_key(node), node)
        if same is not node:
            node.replace_all_uses_with(same)
            graph.erase_node(node)
            merged += 1
    if not merged:
        return PassResult()
    return PassResult((Rewrite("equal computations", "<root>", f"{merged} repeated", "done once"),))


def _key(node: fx.Node) -> Any:
    return (node.target, _hashable(node.args), _hashable(node.kwargs))


def _hashable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, dict):
        return tuple(sorted((key, _hashable(item)) for key, item in value.items()))
    # 1, 1.0 and True are equal in Python but not as arguments of an operator.
    return (type(value), repr(value)) if isinstance(value, float) else (type(value), value)
