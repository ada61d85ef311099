"""The exact network behind one whose statistics are taken on a grid, to measure what the grid costs.

grid_mean, grid_variance, grid_normalize   ->   local_mean, local_variance, local_normalize
grid_spread, spread_product                ->   replicate, replicated_product
"""

from __future__ import annotations

import copy

from torch import fx

from passes.statistics import OPERATORS
from passes.torch_internals.names import schema_of

_EXACT = {operator.overload: operator.exact for operator in OPERATORS if operator.exact is not None}


def exact_counterpart(module: fx.GraphModule) -> fx.GraphModule:
    """A copy of ``module`` in which every statistic is taken over every window."""
    exact = fx.GraphModule(module, copy.deepcopy(module.graph))
    for node in exact.graph.nodes:
        if node.target in _EXACT:
            node.target = _EXACT[node.target]
            node.args = node.args[: len(schema_of(node.target).arguments)]
    exact.recompile()
    return exact
