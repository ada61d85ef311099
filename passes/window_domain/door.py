"""A door: an operation through which pixels become one vector per image, and locally one per window.

    x [N, ..., H, W] --reduce over H, W and perhaps more--> s [N, ...]

Every statistic that is a reduction is described by the same facts, so that a new one needs a match on its
operator and a formula over the window, nothing else.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.emitter import Emitter
from passes.not_taken import not_taken
from passes.sizes import shape_expressions
from passes.window_domain.axis import extent
from passes.window_domain.layout import PixelLayout, PixelLayouts
from passes.window_domain.lifted import (
    Grid,
    Lifted,
    Shape,
    broad_axes,
    fixed_but_batch,
    flatten,
    unflatten,
)
from passes.window_domain.rules.scalar import window_extent
from passes.window_domain.rules.site import Value

_log = logging.getLogger(__name__)

aten = torch.ops.aten


@dataclass(frozen=True)
class Door:
    """One global statistic.

    Attributes:
        node: the node whose result is the statistic.
        kind: what the report calls it, e.g. ``"global mean"``.
        source: the pixel tensor it reduces, and ``layout`` where that keeps its pixels.
        axes: all reduced axes of ``source``: the spatial ones and any others.
        local: the same statistic over windows.
        has_grid_form: whether ``local`` uses only statistics that can be taken on a grid of windows.
    """

    node: fx.Node
    kind: str
    source: fx.Node
    layout: PixelLayout
    axes: tuple[int, ...]
    local: Callable[[Doorway], Value]
    has_grid_form: bool = False


@dataclass(frozen=True)
class Doorway:
    """A door while it is being rewritten: what its window formula is written with."""

    door: Door
    emit: Emitter
    grid: Grid

    def pixels(self, of: fx.Node | None = None) -> fx.Node:
        """``of``, by default the source, as ``[s0, other axes flattened, H, W]``."""
        return as_map(self.emit, of or self.door.source, self.door.layout)

    def over_windows(self, statistic: Any, pixels: fx.Node, on_grid: Any = None) -> Lifted:
        """An operator on ``pixels``: one value per window and per axis that is not spatial.

        Args:
            on_grid: the same of the windows of a grid, where it has such a form.
        """
        shape = shape_expressions(self.door.source)
        others = tuple(size for axis, size in enumerate(shape) if axis not in self.door.layout.axes)
        if self.grid.ratio is not None:
            node = self.emit.call(on_grid, pixels, *self.grid.map.window, self.grid.ratio)
        else:
            node = self.emit.call(statistic, pixels, *self.grid.map.window)
        return Lifted(node, fixed_but_batch(others), self.grid)

    @property
    def rest(self) -> list[int]:
        """Reduced axes that are not spatial, as axes of what :meth:`over_windows` returns."""
        others = [
            axis
            for axis in range(len(shape_expressions(self.door.source)))
            if axis not in self.door.layout.axes
        ]
        return [others.index(axis) for axis in self.door.axes if axis in others]

    def reduce_rest(self, target: Any, lifted: Lifted, **options: Any) -> Lifted:
        """Reduces the remaining axes by ``target`` (``aten.mean.dim`` and the like)."""
        if not self.rest:
            return lifted
        axes = sorted({*broad_axes(lifted.shape), *self.rest})
        source = unflatten(self.emit, lifted, axes)
        dims = [1 + axes.index(axis) for axis in self.rest]
        node = self.emit.call(target, source, dims, keepdim=False, **options)
        left = [axis for axis in axes if axis not in self.rest]
        if not left:
            node = self.emit.call(aten.unsqueeze.default, node, 1)
        shape = tuple(size for axis, size in enumerate(lifted.shape) if axis not in self.rest)
        return flatten(self.emit, node, shape, left, self.grid)

    def count(self) -> fx.Node | int:
        """Elements one statistic is taken over: those of a window times the other reduced axes."""
        height, width = window_extent(self.emit, self.grid)
        rest = 1
        for axis in self.door.axes:
            if axis not in self.door.layout.axes:
                rest *= int(shape_expressions(self.door.source)[axis])
        elements = self.emit.call(operator.mul, height, width)
        return elements if rest == 1 else self.emit.call(operator.mul, elements, rest)

    def result(self, lifted: Lifted, shape: Shape | None = None) -> Lifted:
        """``lifted`` with the global shape of the door's result, kept dimensions included."""
        return Lifted(lifted.node, fixed_but_batch(shape or shape_expressions(self.door.node)), self.grid)


def as_map(emit: Emitter, source: fx.Node, layout: PixelLayout) -> fx.Node:
    """``source`` as ``[s0, other axes flattened in their order, H, W]``."""
    shape = shape_expressions(source)
    before = _map_before(source, layout)
    if before is not None:
        return before
    if len(shape) == 4 and (layout.height_axis, layout.width_axis) == (2, 3):
        return source
    height, width = extent(emit, layout.height), extent(emit, layout.width)
    others = [axis for axis in range(len(shape)) if axis not in layout.axes]
    if others + list(layout.axes) != list(range(len(shape))):
        source = emit.call(aten.permute.default, source, [*others, *layout.axes])
    batch: Any = int(shape[0]) if shape[0].is_Integer else emit.size(source, 0)
    return emit.reshape(source, [batch, -1, height, width])


def _map_before(source: fx.Node, layout: PixelLayout) -> fx.Node | None:
    """The map ``[s0, C, H, W]`` that ``source``, which has its pixels last, is a mere reshape of."""
    shape = shape_expressions(source)
    if layout.axes != tuple(range(len(shape)))[-len(layout.axes) :]:
        return None
    extents = tuple(shape_expressions(axis.node)[axis.index] for axis in (layout.height, layout.width))
    node = source
    while node.target in (aten.view.default, aten.reshape.default, aten.flatten.using_ints):
        node = node.all_input_nodes[0]
        own = shape_expressions(node)
        if len(own) == 4 and own[0] == shape[0] and own[2:] == extents:
            return node
    return None


def reduction(
    node: fx.Node,
    kind: str,
    dims: Iterable[int] | None,
    layouts: PixelLayouts,
    local: Callable[[Doorway], Value],
    has_grid_form: bool = False,
) -> Door | None:
    """The door of a reduction over ``dims``, or None where it is not one over a whole feature map."""
    if dims is None:
        return None
    source = node.args[0]
    if not isinstance(source, fx.Node) or not (shape := shape_expressions(source)):
        return None
    layout = layouts.get(source)
    axes = tuple(sorted({dim % len(shape) for dim in dims}))
    if layout is None or 0 in axes or not set(layout.axes) <= set(axes):
        if layouts.image.spatial_axes(shape[axis] for axis in axes):
            why = layouts.why_none(source) or "it reduces the images of a batch, or not all pixels of a map"
            not_taken(_log, node, why)
        return None
    return Door(node, kind, source, layout, axes, local, has_grid_form)


def dims_argument(node: fx.Node, name: str = "dim") -> Sequence[int] | None:
    """The reduced dims as written, or None where the operator reduces everything."""
    dims = bound_arguments(node)[name]
    if dims is None:
        return None
    return [dims] if isinstance(dims, int) else list(dims) or None


def reduced_axes(node: fx.Node) -> tuple[list[int] | None, bool]:
    """The dims of a reduction, from 0 up, or None where it reduces everything; and whether they are kept."""
    rank = len(shape_expressions(node.args[0]))  # type: ignore[arg-type]
    dims = dims_argument(node)
    axes = None if dims is None else [dim % rank for dim in dims]
    return axes, bool(bound_arguments(node)["keepdim"])
