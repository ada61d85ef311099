"""What each operation does to pixels: one file per family, one table for all.

What is not in the table ends the descent.
"""

from __future__ import annotations

from collections.abc import Mapping

from passes.window_domain.descent.operation import Operation, Result, Rule
from passes.window_domain.descent.rules import (
    choices,
    elements,
    maps,
    orders,
    parts,
    products,
    reductions,
    views,
)
from passes.window_domain.pointwise_operator import is_pointwise

_RULES: Mapping[str, Rule] = {
    **choices.RULES,
    **elements.RULES,
    **maps.RULES,
    **orders.RULES,
    **parts.RULES,
    **products.RULES,
    **reductions.RULES,
    **views.RULES,
}


def rule_of(operation: Operation) -> Rule | None:
    """The rule for an operation, or None where the table has none."""
    if getattr(operation.node.target, "namespace", "") == "tlc":
        return maps.statistic
    if operation.packet in _RULES:
        return _RULES[operation.packet]
    return elements.combine if is_pointwise(operation.node) else None


__all__ = ["Operation", "Result", "Rule", "rule_of"]
