"""Where a tensor keeps its pixels: which axes are the height and the width of a feature map.

A tensor is in the pixel domain when the size of one of its axes changes with the size of the image. Two axes
may carry the map (``[N, C, H, W]``, ``[N, H, W, C]``), or one flattened axis in row-major order
(``[N, C, H*W]``, ``[N, H*W, C]``). Everything else, such as the windows of a window attention gathered on
the batch axis, has no layout here and its reductions are not global statistics.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass

import sympy
import torch
from torch import fx

from passes.sizes import ImageSize, same, shape_expressions

aten = torch.ops.aten

_REORDERS_PIXELS = frozenset(
    {
        "flip", "roll", "sort", "gather", "scatter", "index", "index_select", "index_put", "take_along_dim",
        "argsort", "topk", "rot90", "pixel_shuffle", "pixel_unshuffle",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """One axis of the tensor a node produces."""

    node: fx.Node
    index: int

    @property
    def size(self) -> sympy.Expr:
        return shape_expressions(self.node)[self.index]


@dataclass(frozen=True)
class PixelLayout:
    """The spatial axes of a tensor.

    ``height_axis == width_axis`` when the map is flattened. ``height`` and ``width`` name axes somewhere in
    the graph that have the map's extents, so that a rewrite can ask for them at run time.
    """

    height_axis: int
    width_axis: int
    height: Axis
    width: Axis

    @property
    def is_flat(self) -> bool:
        return self.height_axis == self.width_axis

    @property
    def axes(self) -> tuple[int, ...]:
        return (self.height_axis,) if self.is_flat else (self.height_axis, self.width_axis)


def pixel_layouts(graph: fx.Graph, image: ImageSize) -> dict[fx.Node, PixelLayout]:
    """The layout of every node of the graph that carries one feature map per image."""
    layouts: dict[fx.Node, PixelLayout] = {}
    for node in graph.nodes:
        if isinstance(node.meta.get("val"), torch.Tensor):
            layout = _layout(node, image, layouts)
            if layout is not None:
                layouts[node] = layout
    return layouts


def _layout(node: fx.Node, image: ImageSize, known: dict[fx.Node, PixelLayout]) -> PixelLayout | None:
    shape = shape_expressions(node)
    axes = image.spatial_axes(shape)
    if len(axes) == 2:
        return _separate_axes(node, shape, axes, image)
    if len(axes) == 1:
        return _flattened_axis(node, shape[axes[0]], axes[0], image, known)
    return None


def _separate_axes(
    node: fx.Node, shape: tuple[sympy.Expr, ...], axes: tuple[int, ...], image: ImageSize
) -> PixelLayout | None:
    for height, width in (axes, axes[::-1]):
        is_height = image.grows_with_height(shape[height]) and not image.grows_with_width(shape[height])
        is_width = image.grows_with_width(shape[width]) and not image.grows_with_height(shape[width])
        if is_height and is_width and not any(shape[axis].free_symbols & image.batch for axis in axes):
            return PixelLayout(height, width, Axis(node, height), Axis(node, width))
    return None


def _flattened_axis(
    node: fx.Node, size: sympy.Expr, axis: int, image: ImageSize, known: dict[fx.Node, PixelLayout]
) -> PixelLayout | None:
    if (
        not (image.grows_with_height(size) and image.grows_with_width(size))
        or size.free_symbols & image.batch
    ):
        return None
    if getattr(node.target, "__name__", "").split(".")[0] in _REORDERS_PIXELS:
        return None
    parts = node.target is operator.getitem
    for source in node.all_input_nodes[0].all_input_nodes if parts else node.all_input_nodes:
        layout = known.get(source)
        if layout is None or not same(size, layout.height.size * layout.width.size):
            continue
        adjacent = layout.is_flat or layout.width_axis == layout.height_axis + 1
        if adjacent and not _scrambles(node, axis, source, layout.height_axis):
            return PixelLayout(axis, axis, layout.height, layout.width)
    return None


def _scrambles(node: fx.Node, axis: int, source: fx.Node, source_axis: int) -> bool:
    """Whether a view puts the pixel axis where the channels were, so that it no longer counts pixels."""
    if getattr(node.target, "overloadpacket", None) not in (aten.view, aten.reshape, aten._unsafe_view):
        return False
    before = sympy.Mul(*shape_expressions(node)[:axis])
    return not same(before, sympy.Mul(*shape_expressions(source)[:source_axis]))
