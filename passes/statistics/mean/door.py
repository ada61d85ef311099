"""Global mean and sum: average pooling in every form it takes.

mean(x, H x W)    ->   local_mean(x)
sum(x, H x W)     ->   local_mean(x) * min(H, window_height) * min(W, window_width)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.sizes import shape_expressions
from passes.window_domain.door import Door, Doorway, dims_argument, reduction
from passes.window_domain.layout import PixelLayouts
from passes.window_domain.lifted import Lifted

aten = torch.ops.aten
tlc = torch.ops.tlc


def match(node: fx.Node, layouts: PixelLayouts) -> Door | None:
    if node.target is aten.sum.dim_IntList:
        return reduction(node, "global sum", dims_argument(node), layouts, local_sum, has_grid_form=True)
    return reduction(node, "global mean", averaged_dims(node), layouts, local_mean, has_grid_form=True)


def averaged_dims(node: fx.Node) -> Sequence[int] | None:
    """The dims ``node`` is the mean over, or None where it is no mean, or that of everything."""
    if node.target is aten.mean.dim:
        return dims_argument(node)
    if node.target is aten.adaptive_avg_pool1d.default:
        return [-1] if list(bound_arguments(node)["output_size"]) == [1] else None
    if node.target in (aten.adaptive_avg_pool2d.default, aten._adaptive_avg_pool2d.default):
        return [-2, -1] if list(bound_arguments(node)["output_size"]) == [1, 1] else None
    return None


def is_mean_of(node: fx.Node, source: fx.Node, axes: Sequence[int]) -> bool:
    """Whether ``node`` is the mean of ``source`` over ``axes``, dimensions kept."""
    if node.target is not aten.mean.dim or node.args[0] is not source:
        return False
    arguments = bound_arguments(node)
    rank = len(shape_expressions(source))
    return bool(arguments["keepdim"]) and sorted(dim % rank for dim in arguments["dim"] or ()) == sorted(axes)


def over_windows(way: Doorway, pixels: fx.Node) -> Lifted:
    return way.over_windows(tlc.local_mean.default, pixels, on_grid=tlc.grid_mean.default)


def local_mean(way: Doorway) -> Lifted:
    means = over_windows(way, way.pixels())
    return way.result(way.reduce_rest(aten.mean.dim, means))


def local_sum(way: Doorway) -> Lifted:
    mean = local_mean(way)
    return way.result(Lifted(way.emit.call(aten.mul.Tensor, mean.node, way.count()), mean.shape, way.grid))
