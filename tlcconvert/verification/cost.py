"""What one run of a captured graph costs at an image size, from its symbolic shapes.

The cost is counted in multiply-adds, so that the same network is always verified at the same sizes, whatever else
the machine does. What an operator reads and writes without multiplying takes time too: an element counts as many
multiply-adds as take as long.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import sympy
from torch import Tensor, fx

from passes.sizes import ImageSize, expression
from tlcconvert.verification.multiply_adds import is_view, multiply_adds

PER_ELEMENT = 20
"""Multiply-adds of a convolution that take as long as writing one element: 0.6 ns at 30 a nanosecond."""
_STATISTIC = 10
"""Elements that one of a statistic counts for. Running sums are taken in float64, forth and back over the map."""


class GraphCost:
    """The multiply-adds of a graph whose tensors have symbolic shapes.

    Args:
        graph: of a captured program.
        image: the symbols of its image.
        per_element: multiply-adds that writing an element counts for; 0 counts multiplications alone.
    """

    def __init__(self, graph: fx.Graph, image: ImageSize, per_element: int = PER_ELEMENT) -> None:
        self._per_element = per_element
        self._image = image
        self._nodes = list(graph.nodes)
        # Later passes rewrite the nodes in place.
        self._args = {node: node.args for node in self._nodes}
        self._sources = {node: node.all_input_nodes for node in self._nodes}
        self._shapes = {node: _shapes(node) for node in self._nodes}
        self._known: dict[tuple[int, int], int] = {}

    def multiply_adds(self, batch: int, height: int, width: int) -> int:
        """Of one run on ``batch`` images, what is written without multiplying included."""
        size = (height, width)
        if size not in self._known:
            self._known[size] = self._of_one_image(*size)
        return batch * self._known[size]

    def _of_one_image(self, height: int, width: int) -> int:
        numbers: dict[sympy.Expr, int] = {}

        def number(size: sympy.Expr) -> int:
            if size not in numbers:
                numbers[size] = self._image.at(size, height, width)
            return numbers[size]

        return sum(
            self._work(node, number)
            for node in self._nodes
            if node.op == "call_function" and self._shapes[node]
        )

    def _work(self, node: fx.Node, number: Callable[[sympy.Expr], int]) -> int:
        shapes = self._shapes[node]
        target: Any = node.target
        if target is operator.getitem or is_view(target):
            return 0
        written = sum(_elements(shape, number) for shape in shapes)
        if getattr(target, "namespace", "") == "tlc":
            written = max(written, *(self._argument_elements(node, number)))
            return written * _STATISTIC * self._per_element + multiply_adds(
                target, self._sized(node, number), ()
            )
        output = tuple(map(number, shapes[0]))
        return written * self._per_element + multiply_adds(target, self._sized(node, number), output)

    def _argument_elements(self, node: fx.Node, number: Callable[[sympy.Expr], int]) -> list[int]:
        sources = self._sources[node]
        return [0, 0, *(_elements(shape, number) for source in sources for shape in self._shapes[source])]

    def _sized(self, node: fx.Node, number: Callable[[sympy.Expr], int]) -> Any:
        def shape(source: fx.Node) -> Any:
            return tuple(map(number, self._shapes[source][0])) if self._shapes[source] else source

        return fx.map_arg(self._args[node], shape)


def _shapes(node: fx.Node) -> tuple[tuple[sympy.Expr, ...], ...]:
    """The shapes of the tensors ``node`` yields."""
    value = node.meta.get("val")
    tensors = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(tuple(map(expression, tensor.shape)) for tensor in tensors if isinstance(tensor, Tensor))


def _elements(shape: tuple[sympy.Expr, ...], number: Callable[[sympy.Expr], int]) -> int:
    return math.prod(map(number, shape))


__all__ = ["PER_ELEMENT", "GraphCost"]
