"""Pools over the 1x1 map of a statistic: nothing to pool.

adaptive_avg_pool2d(s [N, C, 1, 1], 1) -> s
"""

from __future__ import annotations

from typing import Any

import torch

from passes.window_domain.lifted import Lifted, NotLiftable, result_shape
from passes.window_domain.rules.site import Rule, Site

aten = torch.ops.aten


def lift_average_pool(site: Site) -> Lifted:
    if any(site.arguments.get("padding") or ()) and site.arguments["count_include_pad"]:
        raise NotLiftable("an average pool that counts the zeros around the 1x1 map")
    return _same(site)


def lift_adaptive_pool(site: Site) -> Lifted:
    return _same(site)


def lift_max_pool(site: Site) -> tuple[Lifted | None, ...] | Lifted:
    if isinstance(site.node.meta["val"], tuple):
        return (_first(site), None)
    return _same(site)


def _same(site: Site) -> Lifted:
    lifted = site.lifted(site.node.args[0])
    if result_shape(site.node) != lifted.shape:
        raise NotLiftable("it pools the 1x1 map to another size")
    return lifted


def _first(site: Site) -> Lifted:
    lifted = site.lifted(site.node.args[0])
    if tuple(site.node.meta["val"][0].shape[1:]) != tuple(lifted.shape[1:]):
        raise NotLiftable("it pools the 1x1 map to another size")
    return lifted


RULES: dict[Any, Rule] = {
    aten.adaptive_avg_pool1d: lift_adaptive_pool,
    aten.adaptive_avg_pool2d: lift_adaptive_pool,
    aten._adaptive_avg_pool2d: lift_adaptive_pool,
    aten.adaptive_max_pool1d: lift_max_pool,
    aten.adaptive_max_pool2d: lift_max_pool,
    aten.avg_pool1d: lift_average_pool,
    aten.avg_pool2d: lift_average_pool,
    aten.max_pool2d: lift_max_pool,
    aten.max_pool2d_with_indices: lift_max_pool,
}
