"""The arguments of an ATen call, defaults filled in, whichever way the graph spells them."""

from __future__ import annotations

from typing import Any

from torch import fx

END = 2**63 - 1
"""The ``end`` of a slice that reaches the end of its axis."""


def bound_arguments(node: fx.Node) -> dict[str, Any]:
    """Every argument of ``node`` by its name in the operator's schema."""
    parameters = node.target._schema.arguments  # type: ignore[union-attr]
    bound = {
        parameter.name: parameter.default_value for parameter in parameters if parameter.has_default_value()
    }
    bound.update(zip((parameter.name for parameter in parameters), node.args, strict=False))
    return bound | dict(node.kwargs)


def ordered_arguments(node: fx.Node) -> tuple[Any, ...]:
    """Every argument of ``node`` in the order of the operator's schema."""
    rest = node.target._schema.arguments[len(node.args) :]  # type: ignore[union-attr]
    return (*node.args, *(node.kwargs.get(parameter.name, parameter.default_value) for parameter in rest))
