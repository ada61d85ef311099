"""Views of a statistic: those that only juggle ones disappear.

view, flatten, squeeze, unsqueeze     the physical tensor already has the axes flattened in this order
permute, transpose                    nothing, unless axes with several values change their order
expand, repeat                        nothing, or a copy along channels
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from passes.window_domain.lifted import Lifted, NotLiftable, broad_axes, flatten, reshape_inside, result_shape
from passes.window_domain.rules.site import Rule, Site

aten = torch.ops.aten


def lift_view(site: Site) -> Lifted:
    lifted = site.lifted(site.node.args[0])
    shape = result_shape(site.node)
    if shape[0] == lifted.shape[0]:
        return Lifted(lifted.node, shape, lifted.grid)
    height, width = (site.emit.size(lifted.node, axis) for axis in (2, 3))
    channels = 1
    for size in shape[1:]:
        channels *= int(size)
    return Lifted(site.emit.reshape(lifted.node, [-1, channels, height, width]), shape, lifted.grid)


def lift_permute(site: Site) -> Lifted:
    rank = len(site.lifted(site.node.args[0]).shape)
    return _permuted(site, [dim % rank for dim in site.arguments["dims"]])


def lift_transpose(site: Site) -> Lifted:
    lifted = site.lifted(site.node.args[0])
    order = list(range(len(lifted.shape)))
    a, b = (dim % len(order) for dim in (site.arguments["dim0"], site.arguments["dim1"]))
    order[a], order[b] = order[b], order[a]
    return _permuted(site, order)


def lift_t(site: Site) -> Lifted:
    return _permuted(site, list(reversed(range(len(site.lifted(site.node.args[0]).shape)))))


def _permuted(site: Site, order: Sequence[int]) -> Lifted:
    lifted = site.lifted(site.node.args[0])
    shape = result_shape(site.node)
    if order and order[0] != 0:
        raise NotLiftable("it moves the batch to another axis")
    broad = broad_axes(lifted.shape)
    moved = [axis for axis in order if axis in broad]
    if moved == sorted(moved):
        return Lifted(lifted.node, shape, lifted.grid)
    source = site.unflatten(lifted, broad)
    positions = [1 + broad.index(axis) for axis in moved]
    last = len(broad) + 1
    result = site.emit.call(aten.permute.default, source, [0, *positions, last, last + 1])
    return flatten(site.emit, result, shape, broad, lifted.grid)


def lift_expand(site: Site) -> Lifted:
    """``expand`` and ``repeat`` along channels; towards pixels they are a meeting, not a lifted operation."""
    lifted = site.lifted(site.node.args[0])
    shape = result_shape(site.node)
    if shape[-len(lifted.shape) :] == lifted.shape and len(shape) == len(lifted.shape):
        return lifted
    if len(shape) != len(lifted.shape) or shape[0] != lifted.shape[0]:
        raise NotLiftable("it adds an axis in front of the batch")
    axes = [axis for axis in range(1, len(shape)) if shape[axis] != 1 or lifted.shape[axis] != 1]
    source = _with_axes(site, lifted, axes)
    repeats = [int(shape[axis] / lifted.shape[axis]) for axis in axes]
    result = site.emit.call(aten.repeat.default, source, [1, *repeats, 1, 1])
    return flatten(site.emit, result, shape, axes, lifted.grid)


def _with_axes(site: Site, lifted: Lifted, axes: Sequence[int]) -> fx.Node:
    if len(axes) < 2:
        return lifted.node
    return reshape_inside(
        site.emit, lifted.node, [int(lifted.shape[axis]) for axis in axes], like=lifted.node
    )


RULES: dict[Any, Rule] = {
    aten.view: lift_view,
    aten.reshape: lift_view,
    aten._unsafe_view: lift_view,
    aten.flatten: lift_view,
    aten.unflatten: lift_view,
    aten.squeeze: lift_view,
    aten.unsqueeze: lift_view,
    aten.permute: lift_permute,
    aten.transpose: lift_transpose,
    aten.t: lift_t,
    aten.expand: lift_expand,
    aten.repeat: lift_expand,
}
