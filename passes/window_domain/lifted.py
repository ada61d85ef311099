"""A tensor of the window domain, and the axes it is written with.

Globally a statistic is one vector per image, of shape ``S = (s0, s1, ..., sr)`` with ``s0`` the batch. Locally
there is one such vector per window. It is stored as

    physical = [s0, s1*...*sr, H', W']

with the axes of ``S`` behind the batch flattened in row-major order and the grid of windows behind them, so a
reshape that only juggles ones changes nothing and a squeeze path runs as 1x1 convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy
import torch
from torch import fx

from passes.emitter import Emitter
from passes.sizes import shape_expressions
from passes.window_domain.axis import Axis
from passes.window_domain.window import FeatureMap

aten = torch.ops.aten

Shape = tuple[sympy.Expr, ...]


class NotLiftable(Exception):
    """An operation on the window side that no rule carries over; the message is the reason."""


@dataclass(frozen=True)
class Grid:
    """The windows a lifted tensor has a value for.

    Attributes:
        map: the feature map the windows slide over.
        height, width: axes in the graph with the extents of that map.
        is_interior: True while there is one value per full window (``[H-k+1, W-k+1]``), False once the
            border is replicated and there is one per element of the map.
        ratio: None, or nodes per window where only every ``window // ratio``-th window has a value.
    """

    map: FeatureMap
    height: Axis
    width: Axis
    is_interior: bool = True
    ratio: int | None = None

    def matches(self, other: Grid) -> bool:
        """Whether two lifted tensors can be combined window by window."""
        return (self.map, self.is_interior, self.ratio) == (other.map, other.is_interior, other.ratio)


@dataclass(frozen=True)
class Lifted:
    """The local counterpart of a global vector of shape ``shape``; ``node`` produces its physical form."""

    node: fx.Node
    shape: Shape
    grid: Grid


def broad_axes(shape: Sequence[sympy.Expr]) -> tuple[int, ...]:
    """The axes behind the batch that hold more than one value."""
    return tuple(axis for axis in range(1, len(shape)) if shape[axis] != 1)


def result_shape(node: fx.Node) -> Shape:
    """The global shape of what ``node`` produces, which a rule carries over to the lifted result.

    Raises:
        NotLiftable: an axis other than the batch changes with the input.
    """
    return fixed_but_batch(shape_expressions(node))


def fixed_but_batch(shape: Shape) -> Shape:
    if not shape or not all(size.is_Integer for size in shape[1:]):
        raise NotLiftable(
            f"its result has the shape ({', '.join(map(str, shape))}), not one vector per image"
        )
    return shape


def unflatten(emit: Emitter, lifted: Lifted, axes: Iterable[int]) -> fx.Node:
    """``[s0, s_a, s_b, ..., H', W']`` for ``axes`` of ``lifted.shape``, which include every broad one.

    With fewer than two axes this is the physical tensor itself, whose second axis then stands for them.
    """
    sizes = [int(lifted.shape[axis]) for axis in axes]
    if len(sizes) < 2:
        return lifted.node
    return reshape_inside(emit, lifted.node, sizes, like=lifted.node)


def flatten(emit: Emitter, node: fx.Node, shape: Shape, axes: Iterable[int], grid: Grid) -> Lifted:
    """The inverse of :func:`unflatten` for a result of global shape ``shape``."""
    if len(list(axes)) < 2:
        return Lifted(node, shape, grid)
    batch, height, width = (emit.size(node, axis) for axis in (0, -2, -1))
    channels = math.prod(int(size) for size in shape[1:])
    return Lifted(emit.reshape(node, [batch, channels, height, width]), shape, grid)


def reshape_inside(emit: Emitter, node: fx.Node, sizes: Sequence[int], like: fx.Node) -> fx.Node:
    """``node`` as ``[s0, *sizes, H', W']``, batch and grid being those of the physical tensor ``like``."""
    batch, height, width = (emit.size(like, axis) for axis in (0, 2, 3))
    return emit.reshape(node, [batch, *sizes, height, width])
