"""The exact network behind one whose statistics are taken on a grid, to measure what the grid costs.

grid_mean, grid_variance, grid_normalize   ->   local_mean, local_variance, local_normalize
grid_spread, spread_product                ->   replicate, replicated_product
"""

from __future__ import annotations

import copy

import torch
from torch import fx

import passes.operators  # noqa: F401  registers torch.ops.tlc

tlc = torch.ops.tlc

_EXACT = {
    tlc.grid_mean.default: (tlc.local_mean.default, 3),
    tlc.grid_variance.default: (tlc.local_variance.default, 3),
    tlc.grid_normalize.default: (tlc.local_normalize.default, 5),
    tlc.grid_spread.default: (tlc.replicate.default, 3),
    tlc.spread_product.default: (tlc.replicated_product.default, 2),
}
"""For each grid operator the exact one, and how many of the first arguments both take."""


def exact_counterpart(module: fx.GraphModule) -> fx.GraphModule:
    """A copy of ``module`` in which every statistic is taken over every window."""
    exact = fx.GraphModule(module, copy.deepcopy(module.graph))
    for node in exact.graph.nodes:
        if node.target in _EXACT:
            node.target, count = _EXACT[node.target]
            node.args = node.args[:count]
    exact.recompile()
    return exact
