"""A network in float64, the measure of how much its own float32 is rounded."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx, nn

from passes.torch_internals.names import OpOverload, pytree, schema_of


def float64_copy(network: nn.Module) -> nn.Module:
    """A copy of ``network`` whose weights are float64, and whose captured graphs create and cast to float64."""
    double = copy.deepcopy(network).double()
    for module in double.modules():
        if isinstance(module, fx.GraphModule):
            _compute_in_double(module)
    return double


def _compute_in_double(graph_module: fx.GraphModule) -> None:
    """f(..., dtype=float32) -> f(..., dtype=float64), and zeros(...), which leaves that to the default, likewise"""
    for node in graph_module.graph.nodes:
        node.args, node.kwargs = pytree.tree_map(_widened, (node.args, node.kwargs))
        if _is_made_of_numbers(node):
            node.kwargs = {"dtype": torch.float64} | {
                key: value for key, value in node.kwargs.items() if value is not None
            }
    graph_module.recompile()


def _is_made_of_numbers(node: fx.Node) -> bool:
    """Whether ``node`` creates a float32 tensor from sizes and literals."""
    value = node.meta.get("val")
    if not isinstance(node.target, OpOverload) or not isinstance(value, torch.Tensor):
        return False
    has_dtype = any(argument.name == "dtype" for argument in schema_of(node.target).arguments)
    sources = (source.meta.get("val") for source in node.all_input_nodes)
    return (
        has_dtype
        and value.dtype is torch.float32
        and not any(isinstance(own, torch.Tensor) for own in sources)
    )


def _widened(argument: Any) -> Any:
    return torch.float64 if argument is torch.float32 else argument
