"""Writing a function of tensors and sizes into a graph, in place of one node.

The function is called with proxies and may use what has a meaning in an exported program: ATen operators, and
arithmetic on sizes with ``torch.sym_min`` and ``torch.sym_max``. It cannot branch on a size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from passes.arguments import ordered_arguments
from passes.emitter import place_of


class _Argument(fx.Proxy):
    """An argument of the node; its dtype and its channels are known when the graph is written."""

    @property
    def dtype(self) -> torch.dtype:
        return self.node.meta["val"].dtype

    @property
    def shape(self) -> torch.Size:
        return self.node.meta["val"].shape


def replace(node: fx.Node, function: Callable[..., Any]) -> None:
    """Puts what ``function`` computes from the arguments of ``node`` in its place."""
    tracer = fx.proxy.GraphAppendingTracer(node.graph)
    before = node.prev
    proxies: Callable[[fx.Node], Any] = lambda argument: _Argument(argument, tracer)  # noqa: E731
    arguments: Any = fx.map_arg(ordered_arguments(node), proxies)
    with node.graph.inserting_before(node):
        result = function(*arguments)
    while (written := before.next) is not node:
        written.meta |= place_of(node)
        before = written
    result.node.meta["val"] = node.meta["val"]
    node.replace_all_uses_with(result.node)
    node.graph.erase_node(node)
