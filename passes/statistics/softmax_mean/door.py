"""Softmax-weighted sum over space: the context of GCNet (ICCV workshops 2019, section 3.3).

    x [N, C, HW] @ softmax(l [N, 1, HW], HW)^T     ->   local_softmax_mean(x, l)
    sum(x * softmax(l, HW), HW)                    ->   the same

Per window this is sum(exp(l) * x) / sum(exp(l)): softmax over the window, then the weighted sum.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

import torch
from torch import fx

from passes.not_taken import not_taken
from passes.sizes import shape_expressions
from passes.window_domain.door import Door, Doorway, as_map
from passes.window_domain.layout import PixelLayout, PixelLayouts
from passes.window_domain.lifted import Lifted, NotLiftable

_log = logging.getLogger(__name__)

aten = torch.ops.aten
tlc = torch.ops.tlc

_RESHAPES = (
    aten.view, aten.reshape, aten._unsafe_view, aten.unsqueeze, aten.squeeze, aten.permute, aten.transpose,
    aten.clone, aten.expand, aten.contiguous,
)  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """A softmax over pixels: its logits, and where they keep their pixels."""

    logits: fx.Node
    layout: PixelLayout


def match(node: fx.Node, layouts: PixelLayouts) -> Door | None:
    if getattr(node.target, "overloadpacket", None) not in (aten.matmul, aten.bmm):
        return None
    left, right = node.args[:2]
    if not isinstance(left, fx.Node) or not isinstance(right, fx.Node):
        return None
    rank = len(shape_expressions(left))
    for pixels, axis, weights, other in (
        (left, rank - 1, right, rank - 1),
        (right, rank - 2, left, rank - 2),
    ):
        door = _match(node, pixels, axis, weights, other, layouts)
        if door is not None:
            return door
    return None


def _match(
    node: fx.Node,
    pixels: fx.Node,
    axis: int,
    weights: fx.Node,
    kept: int,
    layouts: PixelLayouts,
) -> Door | None:
    """``kept`` is the axis of the weights that is not contracted: one weighting means extent 1 there."""
    layout = layouts.get(pixels)
    if layout is None or not layout.is_flat or layout.height_axis != axis or axis == 0:
        return None
    softmax = _softmax_behind(weights, layouts)
    if softmax is None:
        return None
    if shape_expressions(weights)[kept] != 1 or not _is_one_map(softmax):
        not_taken(_log, node, "its softmax has more than one weight for a pixel")
        return None
    rank, own = len(shape_expressions(weights)), layouts.get(weights)
    contracted = 2 * rank - 3 - kept
    if own is None or own.axes != (contracted,) or not own.is_same_map(layout):
        not_taken(_log, node, "its softmax is over other pixels than those it weighs")
        return None
    return Door(
        node, "softmax-weighted sum", pixels, layout, (axis,), partial(local_context, weights=softmax)
    )


def _is_one_map(weights: Weights) -> bool:
    """Whether there is one logit per pixel, for all channels."""
    shape = shape_expressions(weights.logits)
    return all(size == 1 for axis, size in enumerate(shape) if axis not in (0, weights.layout.height_axis))


def _softmax_behind(node: fx.Node, layouts: PixelLayouts) -> Weights | None:
    """The softmax over flattened pixels that ``node`` only reshapes."""
    while getattr(node.target, "overloadpacket", None) in _RESHAPES:
        node = node.all_input_nodes[0]
    if node.target not in (aten.softmax.int, aten._softmax.default):
        return None
    logits = node.args[0]
    layout = layouts.get(logits) if isinstance(logits, fx.Node) else None
    if layout is None or not layout.is_flat:
        return None
    assert isinstance(logits, fx.Node)
    rank = len(shape_expressions(logits))
    return Weights(logits, layout) if node.args[1] % rank == layout.height_axis else None  # type: ignore[operator]


def local_context(way: Doorway, weights: Weights) -> Lifted:
    pixels = way.pixels()
    logits = as_map(way.emit, weights.logits, weights.layout)
    node = way.emit.call(tlc.local_softmax_mean.default, pixels, logits, *way.grid.map.window)
    shape = shape_expressions(way.door.node)
    if shape[0] != shape_expressions(way.door.source)[0]:
        raise NotLiftable("it mixes the batch into the weighted sum")
    return way.result(Lifted(node, shape, way.grid))
