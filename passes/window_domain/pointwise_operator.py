"""Which operators compute each element of their result from the broadcast elements of their operands."""

from __future__ import annotations

import torch
from torch import fx

from passes.torch_internals.names import OpOverload

aten = torch.ops.aten


def is_pointwise(node: fx.Node) -> bool:
    """Whether the node computes each element of its result from the broadcast elements of its operands."""
    if isinstance(node.target, OpOverload):
        return torch.Tag.pointwise in node.target.tags or node.target in (
            aten._to_copy.default,
            aten.to.dtype,
            aten.type_as.default,
        )
    return False
