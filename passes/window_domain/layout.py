"""Where a tensor keeps its pixels: which axes are the height and the width of a feature map.

Two axes may carry the map (``[N, C, H, W]``, ``[N, H, W, C]``), or one flattened axis in row-major order
(``[N, C, H*W]``, ``[N, H*W, C]``). A tensor is a feature map only if every operation on the way from the image kept
its pixels in place (:mod:`passes.window_domain.descent`); two axes that grow with height and width alone say nothing:
a spectrum, a sorted or a transposed map has them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import fx

from passes.sizes import ImageSize, same, shape_expressions
from passes.window_domain.axis import Axis
from passes.window_domain.descent import descend, first_clash
from passes.window_domain.descent.digits import PIXELS, WHOLE, Axes, Counts, Digit, Interval
from passes.window_domain.descent.operation import Result, axes_by_shape

Part = tuple[Interval, Interval]
"""What of the image's height and of its width a map covers."""


@dataclass(frozen=True)
class PixelLayout:
    """The spatial axes of a tensor.

    ``height_axis == width_axis`` when the map is flattened. ``height`` and ``width`` name axes somewhere in
    the graph that have the map's extents, so that a rewrite can ask for them at run time. ``part`` is the part of
    the image's height and of its width that the map covers.
    """

    height_axis: int
    width_axis: int
    height: Axis
    width: Axis
    part: Part = (WHOLE, WHOLE)

    @property
    def is_flat(self) -> bool:
        return self.height_axis == self.width_axis

    @property
    def axes(self) -> tuple[int, ...]:
        return (self.height_axis,) if self.is_flat else (self.height_axis, self.width_axis)

    def is_same_map(self, other: PixelLayout) -> bool:
        """Whether two tensors hold maps of one extent and of one part of the image."""
        extents = ((self.height, other.height), (self.width, other.width))
        return self.part == other.part and all(same(a.size, b.size) for a, b in extents)


@dataclass(frozen=True)
class PixelLayouts:
    """The layout of every node that carries one feature map per image, and why the others carry none."""

    image: ImageSize
    digits: Mapping[fx.Node, Result]
    layouts: dict[fx.Node, PixelLayout] = field(default_factory=dict)

    def get(self, node: fx.Node) -> PixelLayout | None:
        return self.layouts.get(node)

    def __getitem__(self, node: fx.Node) -> PixelLayout:
        return self.layouts[node]

    def __contains__(self, node: object) -> bool:
        return node in self.layouts

    def is_free(self, node: fx.Node) -> bool:
        """Whether ``node`` is a map by its shape alone: one number spread over it, or numbers by position."""
        axes = self.digits.get(node)
        return (
            node in self.layouts
            and isinstance(axes, tuple)
            and all(digit.is_free for digits in axes for digit in digits if digit.counts in PIXELS)
        )

    def first_clash(self, parts: Mapping[fx.Node, Part]) -> fx.Node | None:
        """The first tensor out of order if free nodes held the pixels of a part of the image; see ``descend``."""
        maps = {node: self._filled(node, part) for node, part in parts.items() if self.is_free(node)}
        graph = next(iter(self.digits)).graph
        return first_clash(graph, self.image, self.digits, maps) if maps else None

    def _filled(self, node: fx.Node, part: Part) -> Axes:
        axes = self.digits[node]
        assert isinstance(axes, tuple)
        of = dict(zip(PIXELS, part, strict=True))
        return tuple(
            tuple(
                replace(digit, is_free=False, part=of[digit.counts]) if digit.counts in of else digit
                for digit in digits
            )
            for digits in axes
        )

    def why_none(self, node: fx.Node) -> str:
        """What took the pixels of ``node`` from their places, or ``""`` where nothing is known to have."""
        axes = self.digits.get(node)
        if node in self.layouts or not isinstance(axes, tuple):
            return ""
        shape = shape_expressions(node)
        growing = [digits for digits, size in zip(axes, shape, strict=True) if self.image.is_spatial(size)]
        for digit in (digit for digits in growing for digit in digits):
            if digit.steps:
                return f"its pixels were {digit.steps[0].text}"
        if any(not digit.is_leading for digits in growing for digit in digits if digit.counts in PIXELS):
            return "its axes count the pixels of cells that grow with the image"
        return "its pixels are in windows or strips, on axes of their own" if growing else ""


def pixel_layouts(graph: fx.Graph, image: ImageSize) -> PixelLayouts:
    """The layout of every node of the graph that carries one feature map per image."""
    found = PixelLayouts(image, descend(graph, image))
    for node in graph.nodes:
        axes = found.digits.get(node)
        if axes is None and _is_tensor(node):
            axes = axes_by_shape(node, image)
        if isinstance(axes, tuple):
            layout = _layout(node, axes, image)
            if layout is not None:
                found.layouts[node] = layout
    return found


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)


def _layout(node: fx.Node, axes: Axes, image: ImageSize) -> PixelLayout | None:
    shape = shape_expressions(node)
    growing = [index for index, size in enumerate(shape) if image.is_spatial(size)]
    digits = [digit for index in growing for digit in axes[index]]
    if len(digits) != 2 or not all(digit.is_in_place for digit in digits):
        return None
    first, second = digits
    if {first.counts, second.counts} != set(PIXELS):
        return None
    if len(growing) == 1:
        return _flat(growing[0], first, second) if first.counts is Counts.ROWS else None
    at = dict(zip((first.counts, second.counts), growing, strict=True))
    height, width = at[Counts.ROWS], at[Counts.COLUMNS]
    rows, columns = (first, second) if first.counts is Counts.ROWS else (second, first)
    return PixelLayout(height, width, Axis(node, height), Axis(node, width), (rows.part, columns.part))


def _flat(axis: int, rows: Digit, columns: Digit) -> PixelLayout | None:
    if rows.extent is None or columns.extent is None:
        return None
    return PixelLayout(axis, axis, rows.extent, columns.extent, (rows.part, columns.part))
