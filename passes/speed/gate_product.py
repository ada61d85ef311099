"""A gate brought to the size of a map and its product with the map as one operator.

    Given    x [N, C, H, W] * tlc::replicate(s [N, C, h, w], H, W)
    Result   tlc::replicated_product(x, s)

    Given    x [N, C, H, W] * tlc::grid_spread(s [N, C, gh, gw], H, W, ...)
    Result   tlc::spread_product(x, s, ...)

The gate is as large as the map and is needed for nothing else. As one operator with the product it can be made a few
planes at a time and thrown away in the cache. A product that is the network's result stays: what loops make is
reshaped, which copies only where it leaves the network.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.emitter import Emitter
from passes.not_taken import not_taken
from passes.program import refresh, where
from passes.result import PassResult, Rewrite
from passes.sizes import shape_expressions
from passes.statistics import OPERATORS

_log = logging.getLogger(__name__)

aten = torch.ops.aten
_PRODUCTS: dict[Any, Any] = {
    operator.gate: operator.overload for operator in OPERATORS if operator.gate is not None
}


def gate_product(program: ExportedProgram) -> PassResult:
    """Rewrites every product of a map with a gate nothing else reads, in place."""
    rewrites = []
    for node in list(program.graph.nodes):
        factors = _factors(node) if node.target is aten.mul.Tensor else None
        if factors is None:
            continue
        if _is_result(node):
            not_taken(_log, node, "it is a result of the network")
            continue
        x, gate = factors
        source, _, _, *options = gate.args
        product = Emitter(node).call(_PRODUCTS[gate.target], x, source, *options)
        node.replace_all_uses_with(product)
        rewrites.append(Rewrite("gate", where(node), "whole, then multiplied", "multiplied in parts"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _is_result(node: fx.Node) -> bool:
    return any(user.op == "output" for user in node.users)


def _factors(product: fx.Node) -> tuple[fx.Node, fx.Node] | None:
    """The map and the gate ``product`` multiplies; None for any other product."""
    first, second = product.args
    for x, gate in ((first, second), (second, first)):
        if not isinstance(x, fx.Node) or not isinstance(gate, fx.Node) or gate.target not in _PRODUCTS:
            continue
        if len(gate.users) > 1:
            not_taken(_log, product, "its gate is read elsewhere too")
            continue
        if shape_expressions(x) == shape_expressions(gate) == shape_expressions(product):
            return x, gate
    return None
