"""The arguments of an ATen call, defaults filled in, whichever way the graph spells them."""

from __future__ import annotations

from typing import Any

from torch import fx

from passes.torch_internals.names import schema_of

END = 2**63 - 1
"""The ``end`` of a slice that reaches the end of its axis."""


def bound_arguments(node: fx.Node) -> dict[str, Any]:
    """Every argument of ``node`` by its name in the operator's schema."""
    parameters = schema_of(node.target).arguments
    bound = {
        parameter.name: parameter.default_value for parameter in parameters if parameter.has_default_value()
    }
    bound.update(zip((parameter.name for parameter in parameters), node.args, strict=False))
    return bound | dict(node.kwargs)


def ordered_arguments(node: fx.Node) -> tuple[Any, ...]:
    """Every argument of ``node`` in the order of the operator's schema."""
    rest = schema_of(node.target).arguments[len(node.args) :]
    return (*node.args, *(node.kwargs.get(parameter.name, parameter.default_value) for parameter in rest))
