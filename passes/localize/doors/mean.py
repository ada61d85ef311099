"""Global mean and sum: average pooling in every form it takes.

mean(x, H x W)    ->   local_mean(x)
sum(x, H x W)     ->   local_mean(x) * min(H, window_height) * min(W, window_width)
"""

from __future__ import annotations

import torch
from torch import fx

import passes.operators  # noqa: F401  registers torch.ops.tlc
from passes.arguments import bound_arguments
from passes.localize.doors.door import Door, Doorway, dims_argument, reduction
from passes.localize.layout import PixelLayouts
from passes.localize.lifted import Lifted

aten = torch.ops.aten
tlc = torch.ops.tlc


def match(node: fx.Node, layouts: PixelLayouts) -> Door | None:
    if node.target is aten.mean.dim:
        return reduction(node, "global mean", dims_argument(node), layouts, local_mean, has_grid_form=True)
    if node.target is aten.sum.dim_IntList:
        return reduction(node, "global sum", dims_argument(node), layouts, local_sum, has_grid_form=True)
    if node.target is aten.adaptive_avg_pool1d.default and list(bound_arguments(node)["output_size"]) == [1]:
        return reduction(node, "global mean", [-1], layouts, local_mean, has_grid_form=True)
    if node.target in (aten.adaptive_avg_pool2d.default, aten._adaptive_avg_pool2d.default):
        if list(bound_arguments(node)["output_size"]) == [1, 1]:
            return reduction(node, "global mean", [-2, -1], layouts, local_mean, has_grid_form=True)
    return None


def local_mean(way: Doorway) -> Lifted:
    means = way.over_windows(tlc.local_mean.default, way.pixels())
    return way.result(way.reduce_rest(aten.mean.dim, means))


def local_sum(way: Doorway) -> Lifted:
    mean = local_mean(way)
    return way.result(Lifted(way.emit.call(aten.mul.Tensor, mean.node, way.count()), mean.shape, way.grid))
