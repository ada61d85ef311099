"""The least memory a run of a graph needs, told from its symbolic shapes: the feature maps alive at one moment.

Given      x [1, 3, H, W] -> conv [1, 64, H, W] -> relu [1, 64, H, W] -> conv [1, 3, H, W]

Result     4 * H * W * (64 + 64) bytes at the relu: both maps exist while one is computed from the other

A map exists from the operator that writes it to the last that reads it or a view of it. What an operator allocates
inside comes on top, so a run that needs more than there is by this count is certain to fail.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass

import sympy
from torch import Tensor, fx
from torch.export import ExportedProgram

from passes.program import state
from passes.sizes import expression, image_size
from passes.torch_internals.names import OpOverload


@dataclass(frozen=True)
class _Map:
    """A tensor: bytes of an element, its shape, and the positions at which it is written and last read."""

    element: int
    shape: tuple[sympy.Expr, ...]
    written: int
    last_read: int


class FeatureMapMemory:
    """The feature maps of a program as it is at this moment; later changes to it do not count.

    Raises:
        ValueError: the program has no image of symbolic size.
    """

    def __init__(self, program: ExportedProgram) -> None:
        self._image = image_size(program)
        self._maps = _maps(program)

    def peak_bytes(self, batch: int, height: int, width: int) -> int:
        """The most bytes alive at once for ``batch`` images of the given pixels."""
        numbers: dict[sympy.Expr, int] = {}
        changes: dict[int, int] = {}
        for each in self._maps:
            size = each.element * math.prod(
                self._at(axis, batch, height, width, numbers) for axis in each.shape
            )
            changes[each.written] = changes.get(each.written, 0) + size
            changes[each.last_read + 1] = changes.get(each.last_read + 1, 0) - size
        alive = peak = 0
        for position in sorted(changes):
            alive += changes[position]
            peak = max(peak, alive)
        return peak

    def _at(
        self, axis: sympy.Expr, batch: int, height: int, width: int, numbers: dict[sympy.Expr, int]
    ) -> int:
        if axis not in numbers:
            symbols = axis.free_symbols & self._image.batch
            numbers[axis] = self._image.at(axis.subs(dict.fromkeys(symbols, batch)), height, width)
        return numbers[axis]


def _maps(program: ExportedProgram) -> list[_Map]:
    nodes = list(program.graph.nodes)
    weights = state(program).keys()
    owner: dict[fx.Node, fx.Node] = {}
    last_read: dict[fx.Node, int] = {}
    for position, node in enumerate(nodes):
        owner[node] = owner[node.all_input_nodes[0]] if _is_view(node) and node.all_input_nodes else node
        last_read[node] = position
        for source in node.all_input_nodes:
            last_read[owner[source]] = position
    return [
        _Map(tensor.element_size(), tuple(map(expression, tensor.shape)), position, last_read[node])
        for position, node in enumerate(nodes)
        if owner[node] is node and node.name not in weights
        for tensor in _tensors(node)
    ]


def _tensors(node: fx.Node) -> list[Tensor]:
    value = node.meta.get("val") if node.op != "output" else None
    values = value if isinstance(value, (list, tuple)) else [value]
    return [tensor for tensor in values if isinstance(tensor, Tensor)]


def _is_view(node: fx.Node) -> bool:
    """Whether ``node`` yields memory that exists already, a part of a tuple included."""
    if node.target is operator.getitem:
        return True
    return isinstance(node.target, OpOverload) and node.target.is_view
