"""The nodes of a grid of windows, along one axis, in ATen (see passes/operators/grid_nodes).

nodes  = ceil((size - k) / spacing) + 1          k = min(window, size)
starts = min(i * spacing, size - k)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from passes.decompose.axis import numbers, smaller, to
from passes.operators.grid_nodes import spacing

aten = torch.ops.aten


@dataclass(frozen=True)
class Nodes:
    """The nodes of an axis.

    Attributes:
        size: pixels of the axis.
        k: pixels of a window.
        count: nodes.
        starts: first pixel of each node's window, int64 [nodes].
        spacing: pixels between nodes, but before the last.
    """

    size: int
    k: int
    count: int
    starts: Tensor
    spacing: int


def nodes(size: int, window: int, ratio: int) -> Nodes:
    """The nodes of an axis of ``size`` pixels."""
    step = spacing(window, ratio)
    k = smaller(size, window)
    last = size - k
    count = (last + (step - 1)) // step + 1
    starts = aten.clamp.default(aten.mul.Tensor(numbers(count), step), 0, last)
    return Nodes(size, k, count, starts, step)


def window_sums(x: Tensor, axis: int, at: Nodes) -> Tensor:
    """Sums of x over the windows at the nodes of ``axis``, with a running sum P: P[e] - P[s] + x[s]."""
    running = aten.cumsum.default(x, axis)
    ends = aten.add.Tensor(at.starts, at.k - 1)
    after, before, first = (
        aten.index_select.default(source, axis, index)
        for source, index in ((running, ends), (running, at.starts), (x, at.starts))
    )
    return aten.add.Tensor(aten.sub.Tensor(after, before), first)


def interpolation(at: Nodes) -> Tensor:
    """float64 [size, nodes]: the weights of each pixel's neighbouring nodes, not negative, with sum 1.

    Node j has a hat: 1 at its start, 0 at the starts before and after. The first has no rising side within the
    axis and the last no falling one; there the neighbour stands a step outside.
    """
    last = at.size - at.k
    previous = aten.mul.Tensor(aten.sub.Tensor(numbers(at.count), 1), at.spacing)
    within = aten.clamp.default(aten.add.Tensor(previous, 2 * at.spacing), None, last)
    following = aten.maximum.default(within, aten.add.Tensor(at.starts, 1))
    centred = aten.sub.Tensor(numbers(at.size), (at.k - 1) // 2)
    start = aten.unsqueeze.default(aten.clamp.default(centred, 0, last), 1)
    rising = _quotient(aten.sub.Tensor(start, previous), aten.sub.Tensor(at.starts, previous))
    falling = _quotient(aten.sub.Tensor(following, start), aten.sub.Tensor(following, at.starts))
    return aten.clamp.default(aten.minimum.default(rising, falling), 0)


def _quotient(a: Tensor, b: Tensor) -> Tensor:
    return aten.div.Tensor(to(a, torch.float64), to(b, torch.float64))
