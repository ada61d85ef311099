"""Sizes as expressions in the height and width of the input image.

Capture leaves every tensor size as a sympy expression in the symbols of the input, so the size of a feature
map at any image size is known without running anything.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sympy
import torch
from torch import fx
from torch.export import ExportedProgram

from passes.program import user_inputs
from passes.torch_internals.sympy_functions import FloorDiv

Size = int | torch.SymInt

_SAMPLES = tuple(64 * factor for factor in (1, 2, 3, 5, 8, 13, 30, 47, 64, 101, 1009))


def expression(size: Any) -> sympy.Expr:
    """The sympy expression of an int or SymInt."""
    return _settled(size.node.expr) if isinstance(size, torch.SymInt) else sympy.Integer(size)


@functools.cache
def _settled(size: sympy.Expr) -> sympy.Expr:
    """``size`` with each quotient that is one number at all sizes replaced by that number.

    A view into windows of 4 comes from the exporter as ``H // (H // 4)``. It is 4 wherever the view exists: H is
    a multiple of 4 because the network pads to one or accepts no other.
    """
    return size.replace(lambda part: isinstance(part, FloorDiv), lambda part: _number(part) or part)


def _number(size: sympy.Expr) -> sympy.Integer | None:
    """The value of ``size`` where it is the same at many sizes every network accepts, else None."""
    symbols = sorted(size.free_symbols, key=str)
    number = None
    for first in range(len(_SAMPLES)):
        sample = {
            symbol: _SAMPLES[(first + 5 * index) % len(_SAMPLES)] for index, symbol in enumerate(symbols)
        }
        try:
            value = size.subs(sample)
        except ZeroDivisionError:
            continue
        if not value.is_Integer or number not in (None, value):
            return None
        number = value
    return number


def shape_expressions(node: fx.Node) -> tuple[sympy.Expr, ...]:
    """The shape of the tensor ``node`` produces, as expressions."""
    return tuple(expression(size) for size in node.meta["val"].shape)


def same(a: sympy.Expr, b: sympy.Expr) -> bool:
    """Whether two sizes are equal at every image size, as far as algebra tells."""
    return bool(a == b or sympy.expand(a - b) == 0)


@dataclass(frozen=True)
class ImageSize:
    """The symbols behind the batch, height and width of the input image.

    ``height`` and ``width`` are the expressions of the image's own axes; each is one symbol, or one symbol
    times the multiple the network was captured with.
    """

    batch: frozenset[sympy.Symbol]
    height: sympy.Expr
    width: sympy.Expr

    def grows_with_height(self, size: sympy.Expr) -> bool:
        return bool(size.free_symbols & self.height.free_symbols)

    def grows_with_width(self, size: sympy.Expr) -> bool:
        return bool(size.free_symbols & self.width.free_symbols)

    def is_spatial(self, size: sympy.Expr) -> bool:
        """Whether ``size`` changes with the height or the width of the image."""
        return self.grows_with_height(size) or self.grows_with_width(size)

    def spatial_axes(self, shape: Iterable[sympy.Expr]) -> tuple[int, ...]:
        return tuple(axis for axis, size in enumerate(shape) if self.is_spatial(size))

    def at(self, size: sympy.Expr, height: int, width: int) -> int:
        """``size`` in elements for an image of ``height x width`` pixels; other symbols are a batch of 1.

        An image size that is no multiple of the captured one is rounded up to it.
        """
        values = {
            symbol: -(-pixels // self.multiple(axis))
            for axis, pixels in ((self.height, height), (self.width, width))
            for symbol in axis.free_symbols
        }
        values |= {symbol: 1 for symbol in size.free_symbols if symbol not in values}
        return int(size.subs(values))

    @staticmethod
    def multiple(axis: sympy.Expr) -> int:
        """``m`` where the axis was captured as ``m * symbol``."""
        return int(axis.as_coeff_Mul()[0])


def image_size(program: ExportedProgram) -> ImageSize:
    """The symbols of the first four-dimensional input [N, C, H, W].

    Raises:
        ValueError: no input has four dimensions with a symbolic height and width.
    """
    for node in user_inputs(program):
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor) or value.dim() != 4:
            continue
        batch, _, height, width = shape_expressions(node)
        if height.free_symbols and width.free_symbols:
            return ImageSize(frozenset(batch.free_symbols), height, width)
    raise ValueError("no input is an image [N, C, H, W] with symbolic height and width")
