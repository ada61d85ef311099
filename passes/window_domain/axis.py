"""A place in the graph to ask for an extent."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from torch import fx

from passes.emitter import Emitter
from passes.sizes import shape_expressions


@dataclass(frozen=True)
class Axis:
    """One axis of the tensor a node produces."""

    node: fx.Node
    index: int

    @property
    def size(self) -> sympy.Expr:
        return shape_expressions(self.node)[self.index]


def extent(emit: Emitter, axis: Axis) -> fx.Node | int:
    """The number of elements along ``axis``: a number, or a node that reads it."""
    size = axis.size
    return int(size) if size.is_Integer else emit.size(axis.node, axis.index)
