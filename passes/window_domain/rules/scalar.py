"""Scalars made of the number of reduced elements, such as ``1 / (h*w)`` or ``n - 1``.

    h -> min(H, window_height)      w -> min(W, window_width)

the same expression otherwise, because a window has as many elements as it has.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

from passes.emitter import Emitter
from passes.sizes import ImageSize, expression, same
from passes.window_domain.axis import extent
from passes.window_domain.lifted import Grid, NotLiftable


def window_extent(emit: Emitter, grid: Grid) -> tuple[Any, Any]:
    """Height and width of the window at run time, in elements."""
    extents = []
    for axis, window in zip((grid.height, grid.width), grid.map.window, strict=True):
        size = extent(emit, axis)
        extents.append(
            emit.call(torch.sym_min, size, window) if isinstance(size, fx.Node) else min(size, window)
        )
    return extents[0], extents[1]


def lift_scalar(emit: Emitter, node: fx.Node, grid: Grid, image: ImageSize) -> fx.Node | Any:
    """The counterpart of a number (SymInt, SymFloat or zero-dimensional tensor) for one window.

    Raises:
        NotLiftable: the number depends on the size of the image in another way, or on its pixels.
    """
    if not _depends_on_size(node, image):
        return node
    value = node.meta["val"]
    if isinstance(value, torch.SymInt):
        size = expression(value)
        height, width = window_extent(emit, grid)
        if same(size, grid.map.height * grid.map.width):
            return emit.call(operator.mul, height, width)
        if same(size, grid.map.height):
            return height
        if same(size, grid.map.width):
            return width
    if not node.all_input_nodes or any(_is_image(source) for source in node.all_input_nodes):
        raise NotLiftable(f"the number {node.name} depends on the size of the image, not of the reduced map")
    lifted = {source: lift_scalar(emit, source, grid, image) for source in node.all_input_nodes}
    args = fx.map_arg(node.args, lambda source: lifted[source])
    kwargs = fx.map_arg(node.kwargs, lambda source: lifted[source])
    return emit.call(node.target, *args, **kwargs)


def _is_image(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dim() > 0


def _depends_on_size(node: fx.Node, image: ImageSize) -> bool:
    value = node.meta.get("val")
    if isinstance(value, (torch.SymInt, torch.SymFloat)):
        return image.is_spatial(value.node.expr)
    if _is_image(node):
        return False
    return any(_depends_on_size(source, image) for source in node.all_input_nodes)
