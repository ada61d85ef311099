"""A network in float64, the measure of how much its own float32 is rounded."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx, nn

from passes.torch_internals.names import pytree


def float64_copy(network: nn.Module) -> nn.Module:
    """A copy of ``network`` whose weights are float64, and whose captured graphs create and cast to float64."""
    double = copy.deepcopy(network).double()
    for module in double.modules():
        if isinstance(module, fx.GraphModule):
            _compute_in_double(module)
    return double


def _compute_in_double(graph_module: fx.GraphModule) -> None:
    """f(..., dtype=float32) -> f(..., dtype=float64)"""
    for node in graph_module.graph.nodes:
        node.args, node.kwargs = pytree.tree_map(_widened, (node.args, node.kwargs))
    graph_module.recompile()


def _widened(argument: Any) -> Any:
    return torch.float64 if argument is torch.float32 else argument
