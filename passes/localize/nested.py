"""Statistics of pixels that another statistic was already applied to, rewritten on the global graph.

A door may stand behind another one over the same map: a variance written out as mean((x - mean(x))^2), the
second pooling of a representative batch norm, mean(a*x + b) with a and b from a squeeze path. With a and b
one vector per image (a constant of the window), exactly::

    mean(a*x + b)        ->   a * mean(x) + b

and likewise for the other statistics whose row has a form (``passes/statistics/<name>/separated.py``).

Afterwards every door reads pixels that no window touched. Localising the original instead would average
values of different windows: the mean over a window of (x[p] - m[p])^2 is not that window's variance.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.emitter import Emitter
from passes.localize.squeeze_path import squeeze_paths
from passes.not_taken import not_taken
from passes.program import refresh, where
from passes.result import PassResult, Rewrite
from passes.sizes import ImageSize, image_size, shape_expressions
from passes.statistics import STATISTICS, match
from passes.statistics.statistic import Separation
from passes.window_domain.affine_pixels import (
    AffineForm,
    Call,
    call,
    negated,
    plus,
    scaled,
    tensor_first,
    written,
)
from passes.window_domain.door import Door
from passes.window_domain.layout import pixel_layouts

_log = logging.getLogger(__name__)

aten = torch.ops.aten

_SEPARATED: Mapping[Any, Separation] = {
    target: separation for statistic in STATISTICS for target, separation in statistic.separated.items()
}


@dataclass(frozen=True)
class Nested:
    """A door over an affine form of other pixels, or over its square, and its ``result`` from un-nested doors."""

    door: Door
    result: Call


def separate_nested(program: ExportedProgram) -> PassResult:
    """Rewrites every nested door of ``program`` that has such a form, in place."""
    image = image_size(program)
    rewrites: list[Rewrite] = []
    while rewritten := _separate_first_layer(program, image):
        rewrites += rewritten
    return PassResult(tuple(rewrites))


def _separate_first_layer(program: ExportedProgram, image: ImageSize) -> list[Rewrite]:
    """Rewrites doors nested in doors that are not nested themselves."""
    graph = program.graph
    layouts = pixel_layouts(graph, image)
    doors = [door for node in graph.nodes if (door := match(node, layouts)) is not None]
    statistics = {node for part in squeeze_paths(graph, doors, image) for node in part.statistics}
    rewrites = []
    for door in doors:
        nested = match_nested(door, statistics, image)
        if nested is None:
            continue
        door.node.replace_all_uses_with(written(nested.result, Emitter(door.node), {}))
        rewrites.append(
            Rewrite("nested statistic", where(door.node), str(door.node.target), "of unnormalised pixels")
        )
    if rewrites:
        refresh(program)
    return rewrites


def match_nested(door: Door, statistics: Collection[fx.Node], image: ImageSize) -> Nested | None:
    """``door`` as a function of doors over pixels no other statistic was applied to, if it has such a form.

    Args:
        statistics: those of all doors.
        image: the symbols that tell a vector per image from pixels.
    """
    formula = _SEPARATED.get(door.node.target)
    if formula is None:
        return None
    base = squared(door.source)
    form = _Reader(statistics, image, door.axes).form(base or door.source)
    if not form.is_nested:
        return None
    result = formula(door, form, base is not None)
    if result is None:
        not_taken(_log, door.node, "its statistic has no formula for such a function of pixels")
        return None
    if not bound_arguments(door.node).get("keepdim", True):
        result = call(aten.squeeze.dims, result, list(door.axes))
    return Nested(door, result)


def squared(node: fx.Node) -> fx.Node | None:
    """``u`` where ``node`` is ``u * u``."""
    if node.target is aten.pow.Tensor_Scalar and node.args[1] == 2:
        return node.args[0]  # type: ignore[return-value]
    if node.target is aten.square.default or (
        node.target is aten.mul.Tensor and node.args[0] is node.args[1]
    ):
        return node.args[0]  # type: ignore[return-value]
    return None


@dataclass(frozen=True)
class _Reader:
    """Reads affine forms of pixels off the graph.

    Attributes:
        statistics: those of all doors.
        image: the symbols that tell a vector per image from pixels.
        axes: reduced by the door in question.
    """

    statistics: Collection[fx.Node]
    image: ImageSize
    axes: Sequence[int]

    def form(self, node: fx.Node) -> AffineForm:
        """``node`` as an affine function of the pixels deepest below it."""
        return self._step(node) or AffineForm(node)

    def _step(self, node: fx.Node) -> AffineForm | None:
        if node.target is aten.add.Tensor:
            return self._sum(node)
        if node.target is aten.sub.Tensor:
            return self._sum(node, sign=-1)
        if node.target is aten.mul.Tensor:
            return self._product(node)
        if node.target is aten.div.Tensor:
            return self._quotient(node)
        if node.target is aten.neg.default:
            return scaled(self.form(node.args[0]), -1.0)  # type: ignore[arg-type]
        if node.target is aten.batch_norm.default:
            return self._batch_norm(node)
        if node.target is operator.getitem:
            return self._first_result(node)
        return None

    def _sum(self, node: fx.Node, sign: int = 1) -> AffineForm | None:
        left: Any
        right: Any
        left, right = node.args[:2]
        if node.kwargs.get("alpha", 1) != 1:
            return None
        if self._is_factor(right, node):
            inner = self.form(left)
            offset = right if sign > 0 else negated(right)
            return AffineForm(inner.atom, inner.scale, plus(inner.offset, offset), self._nests(inner, right))
        if self._is_factor(left, node):
            inner = self.form(right)
            if sign < 0:
                inner = scaled(inner, -1.0)
            return AffineForm(inner.atom, inner.scale, plus(inner.offset, left), self._nests(inner, left))
        return self._sum_of_pixels(left, right, sign)

    def _sum_of_pixels(self, left: Any, right: Any, sign: int) -> AffineForm | None:
        """Two pixel operands that are affine in the same atom, such as ``x - x * a``."""
        if not isinstance(left, fx.Node) or not isinstance(right, fx.Node):
            return None
        first, second = self.form(left), self.form(right)
        if first.atom is not second.atom or not (first.is_nested or second.is_nested):
            return None
        if sign < 0:
            second = scaled(second, -1.0)
        scales = (1.0 if form.scale is None else form.scale for form in (first, second))
        scale = call(aten.add.Tensor, *tensor_first(*scales))
        return AffineForm(first.atom, scale, plus(first.offset, second.offset), True)

    def _product(self, node: fx.Node) -> AffineForm | None:
        left, right = node.args[:2]
        if self._is_factor(left, node):
            left, right = right, left
        if not self._is_factor(right, node):
            return None
        inner = self.form(left)  # type: ignore[arg-type]
        return replace(scaled(inner, right), is_nested=self._nests(inner, right))

    def _quotient(self, node: fx.Node) -> AffineForm | None:
        left, right = node.args[:2]
        if node.kwargs.get("rounding_mode") or not self._is_factor(right, node):
            return None
        inner = self.form(left)  # type: ignore[arg-type]
        inverse: Any = call(aten.reciprocal.default, right) if isinstance(right, fx.Node) else 1.0 / right  # type: ignore[operator]
        return replace(scaled(inner, inverse), is_nested=self._nests(inner, right))

    def _first_result(self, node: fx.Node) -> AffineForm | None:
        source, index = node.args
        if (
            index == 0
            and isinstance(source, fx.Node)
            and source.target is aten._native_batch_norm_legit_no_training.default
        ):
            return self._batch_norm(source)
        return None

    def _batch_norm(self, node: fx.Node) -> AffineForm | None:
        """At inference: ``(x - running_mean) / sqrt(running_var + eps) * weight + bias`` per channel."""
        arguments = bound_arguments(node)
        rank = len(shape_expressions(arguments["input"]))
        if arguments.get("training") or 1 in self.axes or arguments["running_mean"] is None:
            return None
        mean, variance, weight, bias = (
            None
            if parameter is None
            else call(aten.reshape.default, parameter, [1, -1, *([1] * (rank - 2))])
            for parameter in (
                arguments["running_mean"], arguments["running_var"], arguments["weight"], arguments["bias"],
            )
        )  # fmt: skip
        assert mean is not None and variance is not None
        scale = call(aten.rsqrt.default, call(aten.add.Tensor, variance, arguments["eps"]))
        if weight is not None:
            scale = call(aten.mul.Tensor, scale, weight)
        inner = self.form(arguments["input"])
        shifted = replace(inner, offset=plus(inner.offset, negated(mean)))
        form = scaled(shifted, scale)
        return replace(form, offset=plus(form.offset, bias))

    def _is_factor(self, operand: Any, node: fx.Node) -> bool:
        """A vector that is the same for every reduced element; ``node`` gives the axes it is aligned to."""
        if not self._is_vector(operand):
            return False
        if not isinstance(operand, fx.Node) or not isinstance(operand.meta["val"], torch.Tensor):
            return True
        own, rank = shape_expressions(operand), len(shape_expressions(node))
        return all(axis - rank + len(own) < 0 or own[axis - rank + len(own)] == 1 for axis in self.axes)

    def _is_vector(self, operand: Any) -> bool:
        """Whether ``operand`` is the same for every pixel of a channel."""
        if not isinstance(operand, fx.Node):
            return isinstance(operand, (int, float))
        value = operand.meta.get("val")
        if not isinstance(value, torch.Tensor):
            return isinstance(value, (int, float, torch.SymInt, torch.SymFloat))
        return not self.image.spatial_axes(shape_expressions(operand))

    def _nests(self, inner: AffineForm, factor: Any) -> bool:
        return inner.is_nested or factor in self.statistics
