"""Operations along the channels of a statistic keep their axis, per window.

    op(s, dim)    ->    op(s as [s0, ..., size of dim, ..., H', W'], position of dim)

Softmax, concatenation, split, slice, and reductions such as a mean over channels. A reduction over the 1x1
map itself reduces one element.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import sympy
import torch
from torch import fx

from passes.sizes import expression, shape_expressions
from passes.torch_internals.names import schema_of
from passes.window_domain.lifted import (
    Lifted,
    NotLiftable,
    Shape,
    broad_axes,
    fixed_but_batch,
    flatten,
    reshape_inside,
    result_shape,
)
from passes.window_domain.rules.site import Rule, Site

aten = torch.ops.aten


def lift_along_dim(site: Site) -> Lifted:
    """One result that keeps ``dim``: softmax, narrow, glu, cumsum."""
    lifted, result, axes, _ = _applied(site)
    return flatten(site.emit, result, result_shape(site.node), axes, lifted.grid)


def lift_slice(site: Site) -> Lifted:
    """A slice, or all of an axis, which indexing with ``None`` leaves in the graph even for the batch."""
    lifted = site.lifted(site.node.args[0])
    return lifted if result_shape(site.node) == lifted.shape else lift_along_dim(site)


def lift_select(site: Site) -> Lifted:
    lifted, result, axes, dim = _applied(site)
    return _without(site, result, result_shape(site.node), axes, [dim], lifted)


def lift_split(site: Site) -> tuple[Lifted | None, ...]:
    """Several results that keep ``dim``: split, chunk."""
    lifted, parts, axes, _ = _applied(site)
    return tuple(
        flatten(site.emit, site.emit.call(operator.getitem, parts, index), shape, axes, lifted.grid)
        for index, shape in enumerate(_result_shapes(site.node))
    )


def lift_unbind(site: Site) -> tuple[Lifted | None, ...]:
    lifted, parts, axes, dim = _applied(site)
    return tuple(
        _without(site, site.emit.call(operator.getitem, parts, index), shape, axes, [dim], lifted)
        for index, shape in enumerate(_result_shapes(site.node))
    )


def lift_getitem(site: Site) -> Lifted:
    source, index = site.node.args
    parts = site.values[source]  # type: ignore[index]
    part = parts[index] if isinstance(parts, tuple) else None  # type: ignore[index]
    if part is None:
        raise NotLiftable("the position of an extreme value has no counterpart in a window")
    return part


def lift_concatenation(site: Site) -> Lifted:
    """``cat`` and ``stack``; operands that are the same for every window are spread over the grid."""
    site = site.on_one_grid()
    shape = result_shape(site.node)
    dim = site.arguments["dim"] % len(shape)
    if dim == 0:
        raise NotLiftable("it concatenates along the batch")
    axes = sorted({*broad_axes(shape), dim})
    operands: Sequence[fx.Node] = site.node.args[0]  # type: ignore[assignment]
    tensors = [_on_grid(site, operand, dim, axes) for operand in operands]
    result = site.emit.call(aten.cat.default, tensors, 1 + axes.index(dim))
    return flatten(site.emit, result, shape, axes, site.grid)


def _on_grid(site: Site, operand: fx.Node, dim: int, axes: Sequence[int]) -> fx.Node:
    """``operand`` as ``[s0, *axes of the result, H', W']``, with its own extent along ``dim``."""
    own = shape_expressions(operand)
    if site.image.spatial_axes(own):
        raise NotLiftable("one operand has as many values as the image has pixels")
    if site.node.target is aten.stack.default:
        own = (*own[:dim], sympy.Integer(1), *own[dim:])
    sizes = [int(own[axis]) for axis in axes]
    value = site.values.get(operand)
    if isinstance(value, Lifted):
        return value.node if len(axes) == 1 else reshape_inside(site.emit, value.node, sizes, like=value.node)
    batch, height, width = (site.emit.size(site.tensors[0].node, axis) for axis in (0, 2, 3))
    spread = site.emit.reshape(operand, [-1, *sizes, 1, 1])
    return site.emit.call(aten.expand.default, spread, [batch, *sizes, height, width])


def lift_reduction(site: Site) -> Lifted:
    """Mean, sum, extremes, variance, norm over channels."""
    lifted = site.lifted(site.node.args[0])
    dims = site.arguments["dim"]
    if dims is None or dims == []:
        raise NotLiftable("it reduces across the images of a batch")
    dims = [dims] if isinstance(dims, int) else list(dims)
    return _reduced(site, site.node.target, lifted, dims, result_shape(site.node))


def lift_extreme_along_dim(site: Site) -> tuple[Lifted | None, ...]:
    """``max.dim`` and ``min.dim``: the values; positions have no counterpart."""
    if site.node.target not in (aten.max.dim, aten.min.dim):
        raise NotLiftable("it reduces across the images of a batch")
    extreme = aten.amax.default if site.node.target is aten.max.dim else aten.amin.default
    lifted = site.lifted(site.node.args[0])
    dims = [site.arguments["dim"]]
    return (_reduced(site, extreme, lifted, dims, _result_shapes(site.node)[0]), None)


def _reduced(site: Site, target: Any, lifted: Lifted, dims: list[int], shape: Shape) -> Lifted:
    axes, positions = site.axes_with(lifted, dims)
    options = {
        name: value
        for name, value in site.arguments.items()
        if name in ("correction", "ord", "unbiased") and value is not None
    }
    source = site.unflatten(lifted, axes)
    order = [options.pop("ord")] if "ord" in options else []
    result = site.emit.call(target, source, *order, positions, keepdim=False, **options)
    return _without(site, result, shape, axes, [dim % len(lifted.shape) for dim in dims], lifted)


def _applied(site: Site) -> tuple[Lifted, fx.Node, list[int], int]:
    """The node's own operator on the unflattened statistic, and the axis it worked on."""
    first: str = schema_of(site.node.target).arguments[0].name
    lifted = site.lifted(site.node.args[0])
    dim: int = site.arguments["dim"]
    axes, positions = site.axes_with(lifted, [dim])
    result = site.call({first: site.unflatten(lifted, axes), "dim": positions[0]})
    return lifted, result, axes, dim % len(lifted.shape)


def _without(
    site: Site, result: fx.Node, shape: Shape, axes: Sequence[int], dims: Sequence[int], lifted: Lifted
) -> Lifted:
    """``result``, which has lost ``dims``, as a lifted tensor."""
    left = [axis for axis in axes if axis not in dims]
    if not left:
        result = site.emit.call(aten.unsqueeze.default, result, 1)
    return flatten(site.emit, result, shape, left, lifted.grid)


def _result_shapes(node: fx.Node) -> list[Shape]:
    return [fixed_but_batch(tuple(expression(size) for size in value.shape)) for value in node.meta["val"]]


RULES: dict[Any, Rule] = {
    operator.getitem: lift_getitem,
    aten.softmax: lift_along_dim,
    aten._softmax: lift_along_dim,
    aten.log_softmax: lift_along_dim,
    aten._log_softmax: lift_along_dim,
    aten.slice: lift_slice,
    aten.narrow: lift_along_dim,
    aten.glu: lift_along_dim,
    aten.cumsum: lift_along_dim,
    aten.select: lift_select,
    aten.split: lift_split,
    aten.split_with_sizes: lift_split,
    aten.chunk: lift_split,
    aten.unbind: lift_unbind,
    aten.cat: lift_concatenation,
    aten.stack: lift_concatenation,
    aten.mean: lift_reduction,
    aten.sum: lift_reduction,
    aten.amax: lift_reduction,
    aten.amin: lift_reduction,
    aten.var: lift_reduction,
    aten.std: lift_reduction,
    aten.logsumexp: lift_reduction,
    aten.linalg_vector_norm: lift_reduction,
    aten.max: lift_extreme_along_dim,
    aten.min: lift_extreme_along_dim,
}
