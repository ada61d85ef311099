"""Writing nodes into a graph that tell which place in the source they stand for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

_PLACE = ("nn_module_stack", "stack_trace")


def place_of(node: fx.Node) -> dict[str, Any]:
    """What ``node.meta`` says of the module and the line it comes from, as :func:`passes.program.where` reads it."""
    return {key: node.meta[key] for key in _PLACE if key in node.meta}


def place_new_nodes(graph: fx.Graph, known: Collection[fx.Node], name: str) -> None:
    """Lets the nodes of ``graph`` that are not ``known`` say that they belong to a part ``name`` of no module."""
    for node in graph.nodes:
        if node not in known:
            node.meta["nn_module_stack"] = {name: (name, name)}


@dataclass(frozen=True)
class Emitter:
    """Writes nodes in front of ``anchor``.

    Attributes:
        source: the node they stand for, whose place in the source they get; None for the anchor itself.
    """

    anchor: fx.Node
    source: fx.Node | None = None

    def call(self, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
        with self.anchor.graph.inserting_before(self.anchor):
            node = self.anchor.graph.call_function(target, args, kwargs)
        node.meta |= place_of(self.source or self.anchor)
        return node

    def size(self, node: fx.Node, axis: int) -> fx.Node:
        return self.call(torch.ops.aten.sym_size.int, node, axis)

    def reshape(self, node: fx.Node, shape: Sequence[fx.Node | int]) -> fx.Node:
        return self.call(torch.ops.aten.reshape.default, node, list(shape))


def substitute(old: fx.Node, new: fx.Node) -> None:
    """Makes every reader of ``old`` read ``new``.

    ``new`` takes over ``old``'s place in the source and its fake value. ``old`` stays, unread,
    until :func:`passes.program.refresh` removes it.
    """
    if new.op != "placeholder":
        new.meta = dict(old.meta)
    old.replace_all_uses_with(new)
