"""What a placement rule works on: one operation, the digits of its operands and the shape of its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.sizes import ImageSize, expression, shape_expressions
from passes.window_domain.descent.digits import (
    Axes,
    Counts,
    Digit,
    Digits,
    Step,
    channels,
    steps_of,
    united,
    unknown,
    whole,
)
from passes.window_domain.descent.sampled import ONE, Values, is_constant, sampled

Result = Axes | list[Axes | None]
Rule = Callable[["Operation"], Result]


class NoRule(Exception):
    """The table does not say what this form of an operation does to pixels."""


@dataclass(frozen=True)
class Operation:
    """One node. ``known`` holds the digits of every tensor before it that depends on the image's pixels."""

    node: fx.Node
    image: ImageSize
    known: Mapping[fx.Node, Result]

    @property
    def arguments(self) -> dict[str, Any]:
        return bound_arguments(self.node)

    @property
    def packet(self) -> str:
        return getattr(self.node.target, "overloadpacket", self.node.target).__name__  # type: ignore[union-attr]

    @property
    def shape(self) -> tuple[sympy.Expr, ...]:
        """The shape of the result."""
        return shape_expressions(self.node)

    @property
    def sizes(self) -> list[Values]:
        return [self.size(size) for size in self.shape]

    def size(self, value: sympy.Expr) -> Values:
        return sampled(value, self.image)

    def axes(self, operand: Any) -> Axes:
        """The digits of an operand; one that does not depend on pixels counts positions by its shape."""
        if not isinstance(operand, fx.Node) or not isinstance(operand.meta.get("val"), torch.Tensor):
            raise NoRule
        known = self.known.get(operand)
        if isinstance(known, tuple):
            return known
        return axes_by_shape(operand, self.image)

    def is_constant(self, operand: Any) -> bool:
        """Whether an operand is the same for every image of a size."""
        return not isinstance(operand, fx.Node) or operand not in self.known

    def number(self, value: Any) -> sympy.Expr:
        """A size argument: a number, or a node that computes one."""
        return expression(value.meta["val"] if isinstance(value, fx.Node) else value)

    def step(
        self, kind: str, verb: str, before: Digit | None = None, key: Any = None, size: Values = ONE
    ) -> Step:
        """A step this node does; without a key nothing takes it off."""
        return Step(kind, self.node if key is None else key, verb, self.node, before, size)

    def ended(self, digits: Digits, size: Values, verb: str) -> Digits:
        """An axis of pixels whose order is lost."""
        return unknown(size, (*steps_of(digits), self.step("lost", verb)))

    def ended_axes(self, verb: str, shape: Sequence[sympy.Expr] | None = None) -> Axes:
        """A result in which every axis that grows with the image is lost."""
        lost = next((digits for source in self.sources for digits in source if steps_of(digits)), ())
        return tuple(
            self.ended(lost, self.size(size), verb) if self.image.is_spatial(size) else self.plain(size)
            for size in (self.shape if shape is None else shape)
        )

    @property
    def sources(self) -> list[Axes]:
        return [
            known for node in self.node.all_input_nodes if isinstance(known := self.known.get(node), tuple)
        ]

    def plain(self, size: sympy.Expr) -> Digits:
        """An axis that is no pixels: images where it grows with the batch alone, else channels."""
        values = self.size(size)
        if is_constant(values):
            return channels(values)
        return by_size(size, self.image)

    def combined(self, operands: Sequence[Axes], shape: Sequence[sympy.Expr] | None = None) -> Axes:
        """The digits of tensors combined element by element, broadcast to ``shape``."""
        shape = self.shape if shape is None else shape
        step = self.step("lost", "combined with other pixels")
        result: list[Digits] = []
        for back in range(len(shape), 0, -1):
            digits: Digits = ()
            for axes in operands:
                if back <= len(axes):
                    digits = united(digits, axes[-back], step)
            result.append(digits or self.plain(shape[-back]))
        return tuple(result)

    def along(self, digits: Digits, before: sympy.Expr, after: sympy.Expr, verb: str = "resized") -> Digits:
        """What a map's axis becomes when a neighbourhood or an interpolation computes each of its elements.

        In place as before, on a coarser or finer map; a map in another order can keep its size only.
        """
        old, size = self.size(before), self.size(after)
        if old == size and digits:
            return digits
        if all(digit.is_free or digit.counts is Counts.CHANNELS for digit in digits):
            return self.plain(after)
        if len(digits) == 1 and digits[0].is_in_place:
            return whole(digits[0].counts, size, digits[0].part)
        if is_constant(size) and not steps_of(digits):
            return channels(size)
        return self.ended(digits, size, verb)

    def spatially(self, source: Any, rank: int, verb: str = "resized") -> Axes:
        """The last ``rank`` axes of the result of an operation on a map."""
        axes, before, after = self.axes(source), shape_expressions(source), self.shape
        return tuple(
            self.along(axes[-back], before[-back], after[-back], verb) for back in range(rank, 0, -1)
        )


def axes_by_shape(node: fx.Node, image: ImageSize) -> Axes:
    """Digits of a tensor that is the same for all images of a size: coordinates, zeros, a parameter."""
    return tuple(
        channels(values) if is_constant(values := sampled(size, image)) else by_size(size, image)
        for size in shape_expressions(node)
    )


def by_size(size: sympy.Expr, image: ImageSize) -> Digits:
    """A growing axis along which a tensor holds numbers by position, or one number."""
    values = sampled(size, image)
    if size.free_symbols <= image.batch:
        return whole(Counts.IMAGES, values, is_free=True)
    height, width = image.grows_with_height(size), image.grows_with_width(size)
    if height == width or size.free_symbols & image.batch:
        return () if values == ONE else (Digit(Counts.UNKNOWN, values, is_free=True),)
    return whole(Counts.ROWS if height else Counts.COLUMNS, values, is_free=True)
