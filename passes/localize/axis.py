"""A place in the graph to ask for an extent."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from torch import fx

from passes.sizes import shape_expressions


@dataclass(frozen=True)
class Axis:
    """One axis of the tensor a node produces."""

    node: fx.Node
    index: int

    @property
    def size(self) -> sympy.Expr:
        return shape_expressions(self.node)[self.index]
