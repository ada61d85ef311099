"""The order a permutation or transposition puts the axes of its input in."""

from __future__ import annotations

import torch
from torch import fx

from passes.arguments import bound_arguments

aten = torch.ops.aten
MOVES = (aten.transpose, aten.permute, aten.t)


def axis_order(node: fx.Node) -> list[int] | None:
    """The axes of its input in the order they have in the output of ``node``; None if it moves none."""
    packet = getattr(node.target, "overloadpacket", None)
    if packet not in MOVES:
        return None
    arguments, rank = bound_arguments(node), node.meta["val"].dim()
    if packet is aten.permute:
        return [dim % rank for dim in arguments["dims"]]
    order = list(range(rank))
    first, second = (0, 1) if packet is aten.t else (arguments["dim0"] % rank, arguments["dim1"] % rank)
    order[first], order[second] = order[second], order[first]
    return order
