"""Global p-norm over space (the response norm of GRN, ConvNeXt V2, CVPR 2023, section 3).

||x||_p over D   ->   (n * local_mean(|x|^p))^(1/p)        n = elements of the window
||x||_inf        ->   local_max(|x|)
"""

from __future__ import annotations

import math

import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.statistics.mean.door import over_windows as mean_over_windows
from passes.window_domain.door import Door, Doorway, dims_argument, reduction
from passes.window_domain.layout import PixelLayouts
from passes.window_domain.lifted import Lifted

aten = torch.ops.aten
tlc = torch.ops.tlc


def match(node: fx.Node, layouts: PixelLayouts) -> Door | None:
    if node.target is not aten.linalg_vector_norm.default:
        return None
    order = bound_arguments(node)["ord"]
    if order == math.inf or order > 0:
        return reduction(node, "global norm", dims_argument(node), layouts, local_norm, order != math.inf)
    return None


def local_norm(way: Doorway) -> Lifted:
    order = bound_arguments(way.door.node)["ord"]
    magnitudes = way.emit.call(aten.abs.default, way.pixels())
    if order == math.inf:
        maxima = way.over_windows(tlc.local_max.default, magnitudes)
        return way.result(way.reduce_rest(aten.amax.default, maxima))
    powers = _power(way, magnitudes, order)
    mean = way.reduce_rest(aten.mean.dim, mean_over_windows(way, powers))
    # Prefix sums may leave a mean of non-negative numbers a rounding error below zero.
    total = way.emit.call(aten.clamp_min.default, way.emit.call(aten.mul.Tensor, mean.node, way.count()), 0)
    return way.result(Lifted(_power(way, total, 1 / order), mean.shape, way.grid))


def _power(way: Doorway, node: fx.Node, exponent: float) -> fx.Node:
    if exponent == 1:
        return node
    if exponent == 2:
        return way.emit.call(aten.mul.Tensor, node, node)
    if exponent == 0.5:
        return way.emit.call(aten.sqrt.default, node)
    return way.emit.call(aten.pow.Tensor_Scalar, node, exponent)
