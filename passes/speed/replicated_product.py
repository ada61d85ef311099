"""A replicated gate and its product with a map as one operator.

    Given    x [N, C, H, W] * tlc::replicate(s [N, C, h, w], H, W)
    Result   tlc::replicated_product(x, s)

The replicate is as large as the map and is needed for nothing else. As one operator with the product it can be made a
few planes at a time and thrown away in the cache. A product that is the network's result stays: what loops make is
reshaped, which copies only where it leaves the network.
"""

from __future__ import annotations

import torch
from torch import fx
from torch.export import ExportedProgram

import passes.operators  # noqa: F401  (registers torch.ops.tlc)
from passes.program import call_before, refresh, where
from passes.result import PassResult, Rewrite
from passes.sizes import shape_expressions

aten, tlc = torch.ops.aten, torch.ops.tlc


def replicated_product(program: ExportedProgram) -> PassResult:
    """Rewrites every product of a map with a replicate nothing else reads, in place."""
    rewrites = []
    for node in list(program.graph.nodes):
        if node.target is not aten.mul.Tensor or _is_result(node):
            continue
        factors = _factors(node)
        if factors is None:
            continue
        node.replace_all_uses_with(call_before(node, tlc.replicated_product.default, *factors))
        rewrites.append(Rewrite("replicate", where(node), "whole, then multiplied", "multiplied in parts"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _is_result(node: fx.Node) -> bool:
    return any(user.op == "output" for user in node.users)


def _factors(product: fx.Node) -> tuple[fx.Node, fx.Node] | None:
    """The map of ``product`` and the interior its other factor replicates; None for any other product."""
    first, second = product.args
    for x, other in ((first, second), (second, first)):
        if not (isinstance(x, fx.Node) and isinstance(other, fx.Node) and _is_replicate_for_one(other)):
            continue
        shapes = [shape_expressions(node) for node in (x, other, product)]
        if shapes[0] == shapes[1] == shapes[2]:
            return x, other.all_input_nodes[0]
    return None


def _is_replicate_for_one(node: fx.Node) -> bool:
    return node.target is tlc.replicate.default and len(node.users) == 1
