"""How long an axis of the image must be for a comparison there to mean something, read off a captured graph.

An error in a graph often shows only beyond some size: a mask made for one size, a window that was taken for the
whole map, a border of half a kernel. The symbolic sizes of the graph say which numbers its extents are compared with:

    Min(48, H // 2)                            H // 2 is compared with 48
    view of H as (H // 8, 8)                   H is divided into parts of 8: two of them, lest one be all
    a kernel of 5 with dilation 3              reaches over 13 pixels
    x[:, :, 2:-40], a roll by 4                40 and 4
    every map                                  32 pixels, for what is written into no expression
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import sympy
import torch
from torch import Tensor, fx

from passes.localize import LocalSite
from passes.sizes import ImageSize, expression

LEAST = 32
"""Pixels every map is to exceed."""
_LONGEST = 4096
_aten = torch.ops.aten


@dataclass(frozen=True)
class Demand:
    """``extent``, an expression in the size of the image, is to be larger than ``than`` elements."""

    extent: sympy.Expr
    than: int


@dataclass(frozen=True)
class Demands:
    """What each axis is to exceed: (height, width)."""

    axes: tuple[frozenset[Demand], frozenset[Demand]]
    image: ImageSize

    def shortest(self, taken: Callable[[int], int]) -> tuple[int | None, int | None]:
        """The shortest height and width that meet all demands; None for an axis where more than 4096 were needed.

        Args:
            taken: rounds a number of pixels up to one the graph takes.
        """
        return _shortest(self.axes[0], self.image, taken), _shortest(self.axes[1], self.image, taken)

    def least_across(self, least: int, taken: Callable[[int], int]) -> tuple[int, int]:
        """The shortest height and width at which every map has ``least`` elements; at most 128 pixels."""
        maps = [[Demand(size.extent, least - 1) for size in axis if size.than == LEAST] for axis in self.axes]
        found = [_shortest(axis, self.image, taken) for axis in maps]
        height, width = (min(extent or taken(128), taken(128)) for extent in found)
        return height, width


def demands(graph: fx.Graph, image: ImageSize) -> Demands:
    """Everything in ``graph`` that is compared with an extent of the image along one axis."""
    found = {demand for node in graph.nodes for demand in _demands_of(node)}
    return Demands(_by_axis(found, image), image)


def with_windows(network: Demands, sites: Iterable[LocalSite]) -> Demands:
    """``network`` and, of every statistic that is local, a quarter more than its window."""
    windows = {
        Demand(extent, window + window // 4)
        for site in sites
        for extent, window in zip((site.map.height, site.map.width), site.map.window, strict=True)
    }
    height, width = _by_axis(windows, network.image)
    return Demands((network.axes[0] | height, network.axes[1] | width), network.image)


def _by_axis(found: set[Demand], image: ImageSize) -> tuple[frozenset[Demand], frozenset[Demand]]:
    """The demands on extents that grow with the height alone, and with the width alone."""
    height, width = (
        frozenset(
            demand
            for demand in found
            if 0 < len(demand.extent.free_symbols & size.free_symbols) == len(demand.extent.free_symbols)
        )
        for size in (image.height, image.width)
    )
    return height, width


def _demands_of(node: fx.Node) -> Iterator[Demand]:
    value = node.meta.get("val")
    if isinstance(value, Tensor):
        shape = [expression(size) for size in value.shape]
        for size in shape:
            yield from _compared_with(size)
        if len(shape) == 4:
            yield from (Demand(size, LEAST) for size in shape if size.free_symbols)
    elif isinstance(value, (torch.SymInt, torch.SymBool)):
        yield from _compared_with(value.node.expr)
    if node.op == "call_function":
        yield from _parts(node)
        yield from _reach(node)
        yield from _positions(node)


def _compared_with(size: sympy.Basic) -> Iterator[Demand]:
    """Min(3, H) -> H and 3; H < 3 -> H and 3"""
    for part in sympy.preorder_traversal(size):
        if not _compares(part):
            continue
        numbers = [int(argument) for argument in part.args if argument.is_Integer]
        yield from (Demand(other, max(numbers)) for other in part.args if numbers and not other.is_number)


def _compares(part: Any) -> bool:
    return isinstance(part, sympy.core.relational.Relational) or type(part).__name__ in ("Min", "Max")


def _parts(node: fx.Node) -> Iterator[Demand]:
    """A view of an axis of f * n elements as (n, f): more than one part, and a border between two of them."""
    if node.target not in (_aten.reshape.default, _aten.view.default):
        return
    source = node.all_input_nodes[0]
    before = [expression(size) for size in source.meta["val"].shape]
    after = [expression(size) for size in node.meta["val"].shape]
    for count, factor in pairwise(after):
        if count.free_symbols and factor.is_Integer and factor > 1:
            whole = sympy.expand(count * factor)
            yield from (Demand(size, 2 * int(factor)) for size in before if sympy.expand(size) == whole)


def _reach(node: fx.Node) -> Iterator[Demand]:
    """The kernel of a convolution or a pool, and what a pad adds, over the two last axes of what it reads."""
    reaches = _REACH.get(node.target)
    if reaches is None or not isinstance(node.args[0], fx.Node):
        return
    sizes = [expression(size) for size in node.all_input_nodes[0].meta["val"].shape[2:]]
    for size, reach in zip(sizes, reaches(node), strict=False):
        if isinstance(reach, int) and reach > 1:
            yield Demand(size, reach)


def _convolution_reach(node: fx.Node) -> list[int]:
    weight = node.args[1]
    assert isinstance(weight, fx.Node)
    kernel = weight.meta["val"].shape[2:]
    dilation = node.args[5] if len(node.args) > 5 else 1
    return [
        (length - 1) * step + 1 for length, step in zip(kernel, _per_axis(dilation, len(kernel)), strict=True)
    ]


def _pool_reach(node: fx.Node) -> list[Any]:
    return _per_axis(node.args[1], 2)


def _pad_reach(node: fx.Node) -> list[Any]:
    """The longer of both ends; a pad lists the last axis first."""
    pads = node.args[1]
    assert isinstance(pads, (list, tuple))
    lengths = [length if isinstance(length, int) else 0 for length in pads]
    return [max(pair) for pair in zip(lengths[::2], lengths[1::2], strict=True)][::-1][-2:]


def _positions(node: fx.Node) -> Iterator[Demand]:
    """The first and last element a slice names, counted from either end, and how far a roll moves."""
    named: list[tuple[Any, Any]] = []
    if node.target is _aten.roll.default:
        shifts, axes = ([*_per_axis(argument, 1)] for argument in (*node.args[1:], ())[:2])
        named = list(zip(axes, shifts, strict=False))
    elif node.target in _SLICES:
        own = node.args[2:] if node.target is _aten.slice_scatter.default else node.args[1:]
        named = [(own[0] if own else 0, position) for position in own[1:3]]
    for axis, position in named:
        if isinstance(position, int) and isinstance(axis, int) and abs(position) < _LONGEST:
            yield Demand(expression(node.all_input_nodes[0].meta["val"].shape[axis]), abs(position))


_SLICES = (_aten.slice.Tensor, _aten.slice_scatter.default)


def _per_axis(value: Any, axes: int) -> list[Any]:
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return values * axes if len(values) == 1 else values


_REACH: dict[Any, Callable[[fx.Node], list[Any]]] = {
    _aten.conv2d.default: _convolution_reach,
    _aten.avg_pool2d.default: _pool_reach,
    _aten.max_pool2d.default: _pool_reach,
    _aten.pad.default: _pad_reach,
}


def _shortest(axis: Iterable[Demand], image: ImageSize, taken: Callable[[int], int]) -> int | None:
    wanted = list(axis)

    def met(extent: int) -> bool:
        return all(image.at(demand.extent, extent, extent) > demand.than for demand in wanted)

    low, high = 0, taken(1)
    while not met(high):
        low, high = high, taken(2 * high)
        if low >= _LONGEST:
            return None
    while taken(low + 1) < high:
        middle = taken((low + high) // 2)
        if middle >= high:
            middle = taken(low + 1)
        if met(middle):
            high = middle
        else:
            low = middle
    return high


__all__ = ["LEAST", "Demand", "Demands", "demands"]
