"""Normalisation of a statistic over its own channels, per window.

    batch norm (inference)    itself: an affine map per channel
    layer norm ([C], [C,1,1]) (s - mean_C(s)) / sqrt(var_C(s) + eps) * weight + bias
    group norm                the same over the C/groups channels of a group

None of these is a door: they reduce over channels of one window, never over pixels.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from passes.window_domain.lifted import Lifted, NotLiftable, broad_axes, flatten, reshape_inside
from passes.window_domain.rules.site import Rule, Site

aten = torch.ops.aten


def lift_batch_norm(site: Site) -> Lifted:
    arguments = site.arguments
    lifted = site.lifted(arguments["input"])
    if arguments.get("training"):
        raise NotLiftable("batch norm in training mode")
    axes, _ = site.axes_with(lifted, [1])
    result = site.call({"input": site.unflatten(lifted, axes)})
    return flatten(site.emit, result, lifted.shape, axes, lifted.grid)


def lift_frozen_batch_norm(site: Site) -> tuple[Lifted | None, ...]:
    """The form that also returns the (empty) statistics it did not compute."""
    arguments = site.arguments
    lifted = site.lifted(arguments["input"])
    axes, _ = site.axes_with(lifted, [1])
    results = site.call({"input": site.unflatten(lifted, axes)})
    result = site.emit.call(operator.getitem, results, 0)
    return (flatten(site.emit, result, lifted.shape, axes, lifted.grid), None, None)


def lift_layer_norm(site: Site) -> Lifted:
    arguments = site.arguments
    lifted = site.lifted(arguments["input"])
    rank, normalized = len(lifted.shape), len(arguments["normalized_shape"])
    axes, dims = site.axes_with(lifted, range(rank - normalized, rank))
    result = _standardised(site, site.unflatten(lifted, axes), dims, arguments["eps"])
    sizes = [int(lifted.shape[axis]) if axis >= rank - normalized else 1 for axis in axes]
    result = _affine(site, result, [1, *sizes, 1, 1])
    return flatten(site.emit, result, lifted.shape, axes, lifted.grid)


def lift_group_norm(site: Site) -> Lifted:
    arguments = site.arguments
    lifted = site.lifted(arguments["input"])
    if broad_axes(lifted.shape) not in ((), (1,)):
        raise NotLiftable("group norm of more than one element per channel")
    channels, groups = int(lifted.shape[1]), arguments["num_groups"]
    grouped = reshape_inside(site.emit, lifted.node, [groups, channels // groups], like=lifted.node)
    result = _standardised(site, grouped, [2], arguments["eps"])
    result = reshape_inside(site.emit, result, [channels], like=lifted.node)
    return Lifted(_affine(site, result, [1, channels, 1, 1]), lifted.shape, lifted.grid)


def _standardised(site: Site, node: fx.Node, dims: Sequence[int], eps: float) -> fx.Node:
    call = site.emit.call
    centred = call(aten.sub.Tensor, node, call(aten.mean.dim, node, list(dims), True))
    variance = call(aten.mean.dim, call(aten.mul.Tensor, centred, centred), list(dims), True)
    return call(aten.mul.Tensor, centred, call(aten.rsqrt.default, call(aten.add.Tensor, variance, eps)))


def _affine(site: Site, node: fx.Node, shape: Sequence[int]) -> fx.Node:
    for key, target in (("weight", aten.mul.Tensor), ("bias", aten.add.Tensor)):
        parameter = site.constant(site.arguments[key])
        if parameter is not None:
            node = site.emit.call(target, node, site.emit.reshape(parameter, shape))
    return node


RULES: dict[Any, Rule] = {
    aten.batch_norm: lift_batch_norm,
    aten._native_batch_norm_legit_no_training: lift_frozen_batch_norm,
    aten.layer_norm: lift_layer_norm,
    aten.group_norm: lift_group_norm,
}
