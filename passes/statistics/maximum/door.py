"""Global maximum and minimum.

    max(x, H x W)    ->   local_max(x)
    min(x, H x W)    ->   -local_max(-x)

``max(dim)`` and ``adaptive_max_pool2d`` also return positions; a network that uses those is not localised.
"""

from __future__ import annotations

import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.sizes import expression
from passes.window_domain.door import Door, Doorway, dims_argument, reduction
from passes.window_domain.layout import PixelLayouts
from passes.window_domain.lifted import Lifted
from passes.window_domain.rules.site import Value

aten = torch.ops.aten
tlc = torch.ops.tlc


def match(node: fx.Node, layouts: PixelLayouts) -> Door | None:
    if node.target in (aten.amax.default, aten.max.dim):
        return reduction(node, "global maximum", dims_argument(node), layouts, local_maximum)
    if node.target in (aten.amin.default, aten.min.dim):
        return reduction(node, "global minimum", dims_argument(node), layouts, local_minimum)
    if node.target is aten.adaptive_max_pool2d.default:
        if list(bound_arguments(node)["output_size"]) == [1, 1]:
            return reduction(node, "global maximum", [-2, -1], layouts, local_maximum)
    if node.target is aten.adaptive_max_pool1d.default:
        if list(bound_arguments(node)["output_size"]) == [1]:
            return reduction(node, "global maximum", [-1], layouts, local_maximum)
    return None


def local_maximum(way: Doorway) -> Value:
    maxima = way.over_windows(tlc.local_max.default, way.pixels())
    return _values(way, way.reduce_rest(aten.amax.default, maxima))


def local_minimum(way: Doorway) -> Value:
    negated = way.emit.call(aten.neg.default, way.pixels())
    maxima = way.reduce_rest(aten.amax.default, way.over_windows(tlc.local_max.default, negated))
    return _values(way, Lifted(way.emit.call(aten.neg.default, maxima.node), maxima.shape, way.grid))


def _values(way: Doorway, extremes: Lifted) -> Value:
    value = way.door.node.meta["val"]
    if isinstance(value, torch.Tensor):
        return way.result(extremes)
    return (way.result(extremes, tuple(expression(size) for size in value[0].shape)), None)
