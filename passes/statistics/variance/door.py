"""Global variance and standard deviation, biased or not.

    var(x, D, correction)   ->   local_variance(x) * n / (n - correction)        n = elements of the window
    var over more axes      ->   (mean_rest(local_variance) + var_rest(local_mean)) * n / (n - correction)
    std                     ->   sqrt(var)

The second line is the law of total variance over the reduced axes that are not spatial.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.sizes import expression
from passes.statistics.mean.door import over_windows as mean_over_windows
from passes.window_domain.door import Door, Doorway, dims_argument, reduction
from passes.window_domain.layout import PixelLayouts
from passes.window_domain.lifted import Lifted
from passes.window_domain.rules.site import Value

aten = torch.ops.aten
tlc = torch.ops.tlc

_KINDS = {
    aten.var: ("global variance", False),
    aten.std: ("global standard deviation", True),
    aten.var_mean: ("global variance", False),
    aten.std_mean: ("global standard deviation", True),
}


def match(node: fx.Node, layouts: PixelLayouts) -> Door | None:
    packet = getattr(node.target, "overloadpacket", None)
    if packet not in _KINDS or "dim" not in bound_arguments(node):
        return None
    return reduction(node, _KINDS[packet][0], dims_argument(node), layouts, local_spread, has_grid_form=True)


def correction_of(node: fx.Node) -> Any:
    """Degrees of freedom taken off the count: 1 by default, 0 for a biased variance."""
    arguments = bound_arguments(node)
    if "unbiased" in arguments:
        return 1 if arguments["unbiased"] else 0
    return 1 if arguments.get("correction") is None else arguments["correction"]


def local_spread(way: Doorway) -> Value:
    node = way.door.node
    packet = node.target.overloadpacket  # type: ignore[union-attr]
    spread = _variance(way)
    if _KINDS[packet][1]:
        spread = Lifted(way.emit.call(aten.sqrt.default, spread.node), spread.shape, way.grid)
    if packet not in (aten.var_mean, aten.std_mean):
        return way.result(spread)
    mean = way.reduce_rest(aten.mean.dim, mean_over_windows(way, way.pixels()))
    shapes = [tuple(expression(size) for size in value.shape) for value in node.meta["val"]]
    return (way.result(spread, shapes[0]), way.result(mean, shapes[1]))


def _variance(way: Doorway) -> Lifted:
    pixels = way.pixels()
    within = way.over_windows(tlc.local_variance.default, pixels, on_grid=tlc.grid_variance.default)
    biased = way.reduce_rest(aten.mean.dim, within)
    if way.rest:
        means = mean_over_windows(way, pixels)
        between = way.reduce_rest(aten.var.correction, means, correction=0)
        biased = Lifted(way.emit.call(aten.add.Tensor, biased.node, between.node), biased.shape, way.grid)
    correction = correction_of(way.door.node)
    if correction == 0:
        return biased
    count = way.count()
    scaled = way.emit.call(aten.mul.Tensor, biased.node, count)
    freedom = way.emit.call(operator.sub, count, correction)
    return Lifted(way.emit.call(aten.div.Tensor, scaled, freedom), biased.shape, way.grid)
