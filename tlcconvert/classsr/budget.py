"""Chooses a class per patch so that an image costs at most what a budget allows.

Every patch starts on the cheapest branch. Moving it up from branch k to branch k + 1 gains logit and costs time;
upgrades are made in the order of gain per cost, as long as their running total fits. The gain per cost of an
upgrade is taken on the concave hull of the patch's (cost, logit) points,

    slope[k] = min over i <= k of max over j > k of (logit[j] - logit[i]) / (cost[j] - cost[i])

which never grows with k, so that a patch is always upgraded step by step, and a step that pays only together with
the next one counts as half of that jump. It is the greedy solution of the multiple-choice knapsack (Sinha and
Zoltners, Operations Research 27, 1979): the best possible for the amount it spends, which falls short of the budget
by less than one upgrade. A budget is spent even where the classifier sees no need, where an upgrade loses logit: what
the caller grants is the cost, and the larger branch does not restore worse.

Everything that decides is an integer: costs, the budget (in steps of 2**-20, rounded down) and the order, which
puts slopes in steps of 2**-16 and, among equal ones, the first patch first. So runtimes agree.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tlcconvert.classsr.costs import Costs

_BUDGET_UNIT = 2**20
_SLOPE_UNIT = 2**16
_STEEPEST = 2.0**38  # in slope units; leaves 24 bits for the number of the upgrade


def classes_within(budget: Tensor, logits: Tensor, costs: Costs) -> Tensor:
    """The class of every patch, [N, K] int64, chosen for each image by itself.

    Args:
        budget: scalar float32 above 0, as a fraction of the cost of the last branch on all K patches; below the
            share of the first branch, that branch is used everywhere.
        logits: [N, K, classes], a score per class.
        costs: of the branches.
    """
    images, patches, classes = logits.shape
    upgrades = patches * (classes - 1)
    steps = torch.tensor([high - low for low, high in zip(costs.units, costs.units[1:], strict=False)])
    order = _best_first(_hull_slopes(logits, costs).reshape(images, upgrades))
    total = steps[order % (classes - 1)].cumsum(1)
    taken = total <= _affordable(budget, patches, costs)
    back = order.sort()[1]
    return taken.gather(1, back).reshape(images, patches, classes - 1).sum(2)


def _affordable(budget: Tensor, patches: int, costs: Costs) -> Tensor:
    """Cost units left for upgrades once all ``patches`` are on the first branch, scalar int64."""
    share = (budget.clamp(0, 1) * _BUDGET_UNIT).to(torch.int64)
    return share * (patches * costs.units[-1]) // _BUDGET_UNIT - patches * costs.units[0]


def _hull_slopes(logits: Tensor, costs: Costs) -> Tensor:
    """Logit per cost of each step of the concave hull, [N, K, classes - 1]; cost 1 is the last branch."""
    share = [unit / costs.units[-1] for unit in costs.units]
    classes = len(share)
    slopes: list[Tensor] = []
    for k in range(classes - 1):
        best = [
            torch.stack(
                [(logits[..., j] - logits[..., i]) / (share[j] - share[i]) for j in range(k + 1, classes)]
            ).amax(0)
            for i in range(k + 1)
        ]
        # The bound by the step before holds already, but for rounding.
        slopes.append(torch.stack(best + slopes[-1:]).amin(0))
    return torch.stack(slopes, dim=-1)


def _best_first(slopes: Tensor) -> Tensor:
    """Indices that sort [N, U] steepest first, equal slopes by position."""
    count = slopes.shape[1]
    steepness = (slopes * _SLOPE_UNIT).clamp(-_STEEPEST, _STEEPEST).to(torch.int64)
    key = steepness * count - torch.arange(count)
    return key.sort(descending=True)[1]
