"""Pointwise operations stay what they are, per window.

f(S1, S2, constant)   ->   f(physical1, physical2, constant as [1, ..., 1, 1])
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from passes.window_domain.lifted import Lifted, NotLiftable, broad_axes, flatten, result_shape
from passes.window_domain.rules.site import Rule, Site

aten = torch.ops.aten


def lift_pointwise(site: Site) -> Lifted:
    site = site.on_one_grid()
    shape = result_shape(site.node)
    align = site.aligned(shape)

    def operand(source: fx.Node) -> Any:
        is_tensor = isinstance(source.meta.get("val"), torch.Tensor)
        return align(source) if is_tensor else site.scalar(source)

    args = fx.map_arg(site.node.args, operand)
    kwargs = fx.map_arg(site.node.kwargs, operand)
    result = site.emit.call(site.node.target, *args, **kwargs)
    return flatten(site.emit, result, shape, broad_axes(shape), site.grid)


def lift_prelu(site: Site) -> Lifted:
    """One slope, or one per channel on axis 1: ``max(x, 0) + slope * min(x, 0)``."""
    lifted = site.lifted(site.arguments["self"])
    slope = site.constant(site.arguments["weight"])
    assert slope is not None
    axes, _ = site.axes_with(lifted, [1] if len(lifted.shape) > 1 else [])
    result = site.emit.call(site.node.target, site.unflatten(lifted, axes), slope)
    return flatten(site.emit, result, lifted.shape, axes, lifted.grid)


def keep(site: Site) -> Lifted:
    """Copies, and dropout at inference: nothing to do."""
    return site.lifted(site.node.all_input_nodes[0])


def lift_dropout(site: Site) -> Lifted:
    if site.arguments.get("train"):
        raise NotLiftable("dropout in training mode draws at random")
    return keep(site)


RULES: dict[Any, Rule] = {
    aten.prelu: lift_prelu,
    aten._prelu_kernel: lift_pointwise,
    aten.clone: keep,
    aten.contiguous: keep,
    aten.alias: keep,
    aten.detach: keep,
    aten.detach_: keep,
    aten.lift_fresh_copy: keep,
    aten.dropout: lift_dropout,
    aten.feature_dropout: lift_dropout,
}
