"""What a lifting rule works on: one operation of the window side, its operands and a place to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.emitter import Emitter
from passes.sizes import ImageSize, shape_expressions
from passes.torch_internals.names import schema_of
from passes.window_domain.lifted import (
    Grid,
    Lifted,
    NotLiftable,
    Shape,
    broad_axes,
    unflatten,
)
from passes.window_domain.replicate import to_one_grid
from passes.window_domain.rules.scalar import lift_scalar

aten = torch.ops.aten

Value = Lifted | tuple[Lifted | None, ...]
Rule = Callable[["Site"], Value]


@dataclass(frozen=True)
class Site:
    """One node to lift. ``values`` holds the lifted counterparts of the nodes before it."""

    node: fx.Node
    emit: Emitter
    values: Mapping[fx.Node, Value]
    image: ImageSize

    @property
    def arguments(self) -> dict[str, Any]:
        """The node's arguments by the names of the operator's schema, defaults filled in."""
        return bound_arguments(self.node)

    def call(self, changed: Mapping[str, Any]) -> fx.Node:
        """The node's own operator with some arguments changed."""
        arguments = {**self.arguments, **changed}
        schema = schema_of(self.node.target)
        positional = [arguments[argument.name] for argument in schema.arguments if not argument.kwarg_only]
        keywords = {
            argument.name: arguments[argument.name] for argument in schema.arguments if argument.kwarg_only
        }
        return self.emit.call(self.node.target, *positional, **keywords)

    def lifted(self, operand: Any) -> Lifted:
        """The lifted tensor behind an operand that must be one."""
        value = self.values.get(operand) if isinstance(operand, fx.Node) else None
        if not isinstance(value, Lifted):
            raise NotLiftable("the statistic is not the operand this operation works on")
        return value

    def constant(self, operand: Any) -> fx.Node | None:
        """An operand that is the same for every window, or None where the operator allows none."""
        if isinstance(operand, fx.Node) and operand in self.values:
            raise NotLiftable("one of its parameters is itself computed from the image")
        return operand

    def scalar(self, operand: Any) -> Any:
        """A number; one made of the reduced extents becomes the same expression in the window's."""
        if not isinstance(operand, fx.Node):
            return operand
        return lift_scalar(self.emit, operand, self.grid, self.image)

    @property
    def tensors(self) -> list[Lifted]:
        """The lifted operands, in the order they are used."""
        values = (self.values.get(source) for source in self.node.all_input_nodes)
        return [value for value in values if isinstance(value, Lifted)]

    @property
    def grid(self) -> Grid:
        return self.tensors[0].grid

    def axes_with(self, lifted: Lifted, dims: Iterable[int]) -> tuple[list[int], list[int]]:
        """Axes to unflatten so that ``dims`` of the global shape exist, and where ``dims`` then stand.

        Raises:
            NotLiftable: a dim is the batch.
        """
        rank = len(lifted.shape)
        wanted = [dim % rank for dim in dims]
        if 0 in wanted:
            raise NotLiftable("it works across the images of a batch")
        axes = sorted({*broad_axes(lifted.shape), *wanted})
        return axes, [1 + axes.index(dim) for dim in wanted]

    def unflatten(self, lifted: Lifted, axes: Sequence[int]) -> fx.Node:
        return unflatten(self.emit, lifted, axes)

    def aligned(self, shape: Shape) -> Callable[[fx.Node], fx.Node]:
        """Brings any operand to ``[s0 or 1, *broad sizes, H' or 1, W' or 1]`` for a result of ``shape``."""
        broad = broad_axes(shape)

        def align(operand: fx.Node) -> fx.Node:
            value = self.values.get(operand)
            if isinstance(value, Lifted):
                return _align_lifted(self.emit, value, shape, broad)
            return _align_uniform(self, operand, shape, broad)

        return align

    def on_one_grid(self) -> Site:
        """This site with its lifted operands brought to one grid."""
        sources = [source for source in self.node.all_input_nodes if source in self.values]
        united = to_one_grid(self.emit, self.tensors)
        return Site(
            self.node, self.emit, {**self.values, **dict(zip(sources, united, strict=True))}, self.image
        )


def _align_lifted(emit: Emitter, lifted: Lifted, shape: Shape, broad: Sequence[int]) -> fx.Node:
    if len(lifted.shape) != len(shape):
        raise NotLiftable("broadcasting moves the batch to another axis")
    if len(broad) < 2:
        return lifted.node
    return unflatten(emit, lifted, broad)


def _align_uniform(site: Site, operand: fx.Node, shape: Shape, broad: Sequence[int]) -> fx.Node:
    own = shape_expressions(operand)
    if site.image.spatial_axes(own):
        raise NotLiftable("one operand has as many values as the image has pixels")
    if not own:
        return _lift_tensor_scalar(site, operand)
    padded = (sympy.Integer(1),) * (len(shape) - len(own)) + own
    sizes = [int(padded[axis]) for axis in broad] or [1]
    batch: fx.Node | int = 1 if padded[0] == 1 else site.emit.size(operand, 0)
    wanted = [batch, *sizes, 1, 1]
    is_there = own == tuple(sympy.Integer(size) if isinstance(size, int) else own[0] for size in wanted)
    return operand if is_there else site.emit.reshape(operand, wanted)


def _lift_tensor_scalar(site: Site, operand: fx.Node) -> fx.Node:
    lifted = lift_scalar(site.emit, operand, site.grid, site.image)
    assert isinstance(lifted, fx.Node)
    return lifted
