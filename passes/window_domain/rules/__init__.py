"""How each operation on a statistic is carried out per window: one file per family, one table for all."""

from __future__ import annotations

from typing import Any

from torch import fx

from passes.window_domain.lifted import NotLiftable
from passes.window_domain.pointwise_operator import is_pointwise
from passes.window_domain.rules import channels, linear, normalization, pointwise, pool, reshape
from passes.window_domain.rules.site import Rule, Site, Value

_RULES: dict[Any, Rule] = {
    **pointwise.RULES,
    **linear.RULES,
    **normalization.RULES,
    **channels.RULES,
    **reshape.RULES,
    **pool.RULES,
}


def lift(site: Site) -> Value:
    """The lifted counterpart of one node of the window side.

    Raises:
        NotLiftable: no rule covers the operation, or not in this form; the message says which.
    """
    return _rule(site.node)(site)


def _rule(node: fx.Node) -> Rule:
    key = getattr(node.target, "overloadpacket", node.target)
    if key in _RULES:
        return _RULES[key]
    if is_pointwise(node):
        return pointwise.lift_pointwise
    raise NotLiftable("no rule covers this operation")


__all__ = ["NotLiftable", "Site", "Value", "lift"]
