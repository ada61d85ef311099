"""Which nodes of a program stay in float32 when the rest of it computes in float16.

A node is *protected* if

1. its operator is in no table of :mod:`passes.precision.half_operators`, it multiplies something with itself, it
   reads a number float16 has not (1e-6, 65536, a number of pixels), or it adds up all pixels or channels;
2. it is a map whose distances from its mean over pixels a statistic takes, or a step on the way there from the last
   convolution: in an area at level 70 +- 0.1, float16 has three values;
3. it only moves or combines element by element, between protected nodes on both sides: what a mean is subtracted from
   and squared, the path around the network from the image to the output;
4. it does so with nothing but what is protected: float32 that is at hand is not rounded before it must be;
5. it is a difference from something protected, or a quotient of or by it.

Everything else is computed in float16.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.precision.half_operators import (
    DIFFERENCES,
    MEANS,
    MOVES,
    OF_DEVIATIONS,
    POINTWISE,
    PRODUCTS,
    QUOTIENTS,
    TO_PIXELS,
)
from passes.program import constant_nodes, state, tensors_in
from passes.sizes import ImageSize, image_size, shape_expressions

_LARGEST, _SMALLEST = 65504.0, 2.0**-14
"""Beyond the first float16 is infinite, below the second it has fewer digits the smaller a number is."""

aten = torch.ops.aten


def is_real(node: fx.Node) -> bool:
    """Whether ``node`` returns float32 tensors."""
    tensors = tensors_in(node)
    return bool(tensors) and all(tensor.dtype == torch.float32 for tensor in tensors)


def is_row_of_ones(tensor: torch.Tensor) -> bool:
    """Whether a product of ``tensor`` with a matrix is a sum or a mean of its rows: [1, C], all numbers the same."""
    return (
        tensor.dim() == 2 and tensor.shape[0] == 1 < tensor.shape[1] and bool((tensor == tensor[0, 0]).all())
    )


@dataclass(frozen=True)
class Protection:
    """What deciding reads of a program.

    Attributes:
        graph: of the program.
        image: its symbols.
        tensors: parameters and constants by the name of their placeholder.
        constant: nodes that depend on nothing else.
    """

    graph: fx.Graph
    image: ImageSize
    tensors: dict[str, torch.Tensor]
    constant: set[fx.Node]

    @classmethod
    def of(cls, program: ExportedProgram) -> Protection:
        return cls(program.graph, image_size(program), state(program), constant_nodes(program))

    def nodes(
        self, operations: list[fx.Node], inputs: set[fx.Node], *, is_inside_float32: bool
    ) -> set[fx.Node]:
        """Those of the float32 ``operations`` that must stay so.

        Args:
            operations: all there are, in order.
            inputs: the placeholders of what is fed.
            is_inside_float32: whether they and the outputs are float32, so that what leads around the network
                keeps them.
        """
        protected = {node for node in operations if self.is_lossy(node)}
        protected |= set(self.exact_maps(operations))
        first = inputs if is_inside_float32 else set()
        last = {self.graph.output_node()} if is_inside_float32 else set()
        protected |= self.between(operations, protected | first, protected | last)
        for node in operations:
            is_exact = [source in protected or source in first for source in self.real_operands(node)]
            is_of_exact = bool(is_exact) and all(is_exact) and self.is_carried(node)
            if is_of_exact or (node.target in DIFFERENCES | QUOTIENTS and any(is_exact)):
                protected.add(node)
        return protected

    def real_operands(self, node: fx.Node) -> list[fx.Node]:
        """The float32 operands that are no constants."""
        return [source for source in node.all_input_nodes if source not in self.constant and is_real(source)]

    def is_carried(self, node: fx.Node) -> bool:
        return node.target in POINTWISE or node.target in MOVES

    def is_lossy(self, node: fx.Node) -> bool:
        operands = [source for source in node.all_input_nodes if tensors_in(source)]
        if not any(is_real(source) for source in operands) or not all(map(_is_known, operands)):
            return True
        if node.target in PRODUCTS:
            return self._sums_pixels(node) or any(map(self._adds_up, operands))
        if node.target in MOVES:
            return False
        if node.target not in POINTWISE or not _numbers_fit(node):
            return True
        is_square = (
            len(operands) == 1 and len(_tensor_arguments(node)) == 2 and node.target is aten.mul.Tensor
        )
        return is_square or not all(map(self._fits, operands))

    def _fits(self, source: fx.Node) -> bool:
        """Whether float16 holds ``source`` if it is a constant; of many numbers the largest counts."""
        tensor = self.tensors.get(source.name) if source.op == "placeholder" else None
        if tensor is None or not tensor.is_floating_point() or not tensor.numel():
            return True
        return _fits(float(tensor.detach().abs().max()))

    def _adds_up(self, source: fx.Node) -> bool:
        tensor = self.tensors.get(source.name) if source.op == "placeholder" else None
        return tensor is not None and is_row_of_ones(tensor)

    def _sums_pixels(self, node: fx.Node) -> bool:
        if node.target not in (aten.matmul.default, aten.bmm.default, aten.mm.default, aten.baddbmm.default):
            return False
        first = node.args[1 if node.target is aten.baddbmm.default else 0]
        assert isinstance(first, fx.Node)
        return self.image.is_spatial(shape_expressions(first)[-1])

    def exact_maps(self, operations: list[fx.Node]) -> Iterator[fx.Node]:
        """The maps of 2., with every step back to the convolution they come from."""
        for node in operations:
            if node.target in OF_DEVIATIONS or (
                node.target is aten.layer_norm.default and self._is_over_pixels(node)
            ):
                yield from self._way_from_product(node.all_input_nodes[0])
            elif node.target in DIFFERENCES:
                yield from self._centred(node)

    def _is_over_pixels(self, norm: fx.Node) -> bool:
        arguments = bound_arguments(norm)
        shape = shape_expressions(arguments["input"])
        return bool(self.image.spatial_axes(shape[-len(arguments["normalized_shape"]) :]))

    def _centred(self, difference: fx.Node) -> Iterator[fx.Node]:
        """Where one operand is a mean of the other over pixels."""
        operands = difference.all_input_nodes
        if len(operands) != 2:
            return
        for pixels, level in (operands, operands[::-1]):
            if pixels in self._averaged(level):
                yield from self._way_from_product(pixels)

    def _averaged(self, level: fx.Node) -> set[fx.Node]:
        """What is averaged over pixels on the way to ``level`` without a product."""
        means = (node for node in self._behind(level) if node.target in MEANS)
        return {mean.all_input_nodes[0] for mean in means if self._is_of_pixels(mean)}

    def _is_of_pixels(self, mean: fx.Node) -> bool:
        if mean.target is not aten.mean.dim:
            return True
        shape = shape_expressions(mean.all_input_nodes[0])
        reduced = {axis % len(shape) for axis in bound_arguments(mean)["dim"] or range(len(shape))}
        return bool(reduced & set(self.image.spatial_axes(shape)))

    def _behind(self, node: fx.Node) -> Iterator[fx.Node]:
        waiting, seen = [node], {node}
        while waiting:
            current = waiting.pop()
            yield current
            if self.is_carried(current) or current.target in TO_PIXELS or current.target in MEANS:
                sources = {source for source in self.real_operands(current) if source not in seen}
                waiting += sources
                seen |= sources

    def _way_from_product(self, node: fx.Node) -> Iterator[fx.Node]:
        while node.op == "call_function" and is_real(node):
            yield node
            operands = self.real_operands(node)
            if not self.is_carried(node) or len(operands) != 1:
                return
            (node,) = operands

    def between(self, operations: list[fx.Node], first: set[fx.Node], last: set[fx.Node]) -> set[fx.Node]:
        """What is carried from ``first`` on and to ``last``."""
        after, before = set(first), set(last)
        for node in operations:
            if self.is_carried(node) and any(source in after for source in self.real_operands(node)):
                after.add(node)
        for node in reversed(operations):
            if self.is_carried(node) and any(user in before for user in node.users):
                before.add(node)
        return {node for node in operations if node in after and node in before}


def _is_known(source: fx.Node) -> bool:
    """Whether ``source`` is no float64 or complex tensor, which nothing here may touch."""
    return all(
        tensor.dtype == torch.float32 or not (tensor.is_floating_point() or tensor.is_complex())
        for tensor in tensors_in(source)
    )


def _tensor_arguments(node: fx.Node) -> list[fx.Node]:
    return [argument for argument in node.args if isinstance(argument, fx.Node) and tensors_in(argument)]


def _numbers_fit(node: fx.Node) -> bool:
    """Whether float16 holds every number a pointwise ``node`` reads; one known at run time may be any."""
    if bound_arguments(node).get("approximate") == "tanh":  # written with a cube
        return False
    return all(_number_fits(argument) for argument in (*node.args, *node.kwargs.values()))


def _number_fits(argument: Any) -> bool:
    if isinstance(argument, fx.Node):
        return bool(tensors_in(argument))
    is_number = isinstance(argument, (int, float)) and not isinstance(argument, bool)
    return not is_number or _fits(abs(float(argument)))


def _fits(number: float) -> bool:
    return number == 0 or _SMALLEST <= number <= _LARGEST
