"""Where a statistic meets pixels: replicated once, in the layout of the tensor it meets.

    Given    x [N, C, H, W] * s [N, C, 1, 1]
    Result   x * replicate(physical)                   [N, C, H, W]

    Given    expand(s, [N, C, H, W])
    Result   replicate(physical)

The physical tensor is brought to the layout of the result: ``[N, H, W, C]``, ``[N, C, H*W]``, ``[N, B, C, H, W]``.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any

import sympy
import torch
from torch import fx

from passes.emitter import Emitter
from passes.program import where
from passes.sizes import expression, same, shape_expressions
from passes.window_domain.axis import Axis, extent
from passes.window_domain.layout import PixelLayout, PixelLayouts
from passes.window_domain.lifted import Lifted, NotLiftable
from passes.window_domain.pointwise_operator import is_pointwise
from passes.window_domain.replicate import to_extent, to_own_map
from passes.window_domain.rules.site import Value

aten = torch.ops.aten

_SPREADS = (
    aten.expand,
    aten.repeat,
    aten.upsample_nearest2d,
    aten._upsample_nearest_exact2d,
    aten.upsample_bilinear2d,
    aten.upsample_bicubic2d,
    aten._upsample_bilinear2d_aa,
    aten._upsample_bicubic2d_aa,
)

Extent = fx.Node | int
Replicas = dict[tuple[fx.Node, sympy.Expr, sympy.Expr], fx.Node]


def spreads(node: fx.Node) -> bool:
    """Whether ``node`` only copies its operand over a map."""
    return getattr(node.target, "overloadpacket", None) in _SPREADS


def check(node: fx.Node, layouts: PixelLayouts, statistics: Mapping[fx.Node, Value]) -> None:
    """Raises NotLiftable where ``node`` cannot take a replicated statistic in place of a global one."""
    layout = layouts.get(node)
    if layout is None:
        why = layouts.why_none(node)
        raise NotLiftable("it meets a tensor that is not a feature map of the image" + (why and f": {why}"))
    if not is_pointwise(node) and not spreads(node):
        raise NotLiftable("it meets pixels in an operation that is not pointwise")
    rank = len(shape_expressions(node))
    for statistic, lifted in statistics.items():
        if isinstance(lifted, Lifted) and lifted.grid.map.part != layout.part and not layouts.is_free(node):
            raise NotLiftable("it is taken over another part of the image than it meets")
        shape = shape_expressions(statistic)
        if len(shape) != rank:
            raise NotLiftable("broadcasting moves the batch to another axis")
        if any(shape[axis] != 1 for axis in layout.axes):
            raise NotLiftable("it has a value of its own for every position")
        if spreads(node) and not all(
            same(a, b)
            for axis, (a, b) in enumerate(zip(shape, shape_expressions(node), strict=True))
            if axis not in layout.axes
        ):
            raise NotLiftable("it is copied along channels and pixels at once")
        if isinstance(lifted, Lifted) and not _is_over(lifted, layout):
            for axis in (layout.height, layout.width):
                _extent_source(node, axis)


def check_order(meetings: Mapping[fx.Node, Mapping[fx.Node, Value]], layouts: PixelLayouts) -> None:
    """Raises Disorder where a statistic, spread over a map, would go on to pixels in another order.

    Args:
        meetings: the statistics of every meeting.
    """
    parts = {
        node: value.grid.map.part
        for node, statistics in meetings.items()
        for value in statistics.values()
        if isinstance(value, Lifted)
    }
    clash = layouts.first_clash(parts)
    if clash is not None:
        culprit = next(node for node in _before(clash) if node in parts and layouts.is_free(node))
        raise Disorder(culprit, clash)


class Disorder(Exception):
    """A spread statistic, ``node``, and where it ``meets`` pixels in another order."""

    def __init__(self, node: fx.Node, meets: fx.Node) -> None:
        super().__init__(f"spread over a map, it goes on to pixels in another order at {where(meets)}")
        self.node = node


def _before(node: fx.Node) -> Iterator[fx.Node]:
    pending, seen = [node], {node}
    while pending:
        for source in pending.pop().all_input_nodes:
            if source not in seen:
                seen.add(source)
                pending.append(source)
                yield source


def meet(
    node: fx.Node, layout: PixelLayout, statistics: dict[fx.Node, Lifted], emit: Emitter, replicas: Replicas
) -> None:
    """Puts replicated statistics in the place of global ones at ``node``."""
    for statistic, lifted in statistics.items():
        pixels = _in_layout(emit, node, layout, lifted, replicas)
        if spreads(node):
            node.replace_all_uses_with(pixels)
        else:
            node.replace_input_with(statistic, pixels)


def _in_layout(
    emit: Emitter, node: fx.Node, layout: PixelLayout, lifted: Lifted, replicas: Replicas
) -> fx.Node:
    full = _replicated(emit, node, layout, lifted, replicas)
    shape, spatial = lifted.shape, layout.axes
    others = [axis for axis in range(1, len(shape)) if axis not in spatial]
    if len(shape) == 4 and spatial == (2, 3):
        return full
    batch, height, width = (emit.size(full, axis) for axis in (0, 2, 3))
    tail: list[Any] = [emit.call(operator.mul, height, width)] if layout.is_flat else [height, width]
    unflat = emit.reshape(full, [batch, *(int(shape[axis]) for axis in others), *tail])
    stored = [0, *others, *spatial]
    order = [stored.index(axis) for axis in range(len(shape))]
    return unflat if order == sorted(order) else emit.call(aten.permute.default, unflat, order)


def _replicated(
    emit: Emitter, node: fx.Node, layout: PixelLayout, lifted: Lifted, replicas: Replicas
) -> fx.Node:
    height, width = layout.height.size, layout.width.size
    key = (lifted.node, height, width)
    if key not in replicas:
        if _is_over(lifted, layout):
            replicas[key] = to_own_map(emit, lifted).node
        else:
            extents = [_extent(emit, node, axis) for axis in (layout.height, layout.width)]
            replicas[key] = to_extent(emit, lifted, *extents)
    return replicas[key]


def _is_over(lifted: Lifted, layout: PixelLayout) -> bool:
    """Whether the statistic is taken over a map of the extents it is spread over."""
    own = lifted.grid.map
    return same(layout.height.size, own.height) and same(layout.width.size, own.width)


def _extent(emit: Emitter, node: fx.Node, axis: Axis) -> Extent:
    source = _extent_source(node, axis)
    return extent(emit, source) if isinstance(source, Axis) else source


def _extent_source(node: fx.Node, axis: Axis) -> Axis | fx.Node:
    """Where to read the extent of ``axis``: at an operand of ``node`` when ``axis`` belongs to ``node`` itself.

    Raises:
        NotLiftable: no operand tells it.
    """
    if axis.node is not node:
        return axis
    for source in node.all_input_nodes:
        value = source.meta.get("val")
        if isinstance(value, torch.SymInt) and same(expression(value), axis.size):
            return source
        if isinstance(value, torch.Tensor):
            for index, size in enumerate(shape_expressions(source)):
                if same(size, axis.size):
                    return Axis(source, index)
    raise NotLiftable(f"nothing tells the extent {axis.size} of the map it is spread over")
