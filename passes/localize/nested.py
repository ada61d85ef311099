"""Statistics of pixels that another statistic was already applied to, rewritten on the global graph.

A door may stand behind another one over the same map: a variance written out as mean((x - mean(x))^2), the
second pooling of a representative batch norm, mean(a*x + b) with a and b from a squeeze path. With a and b
one vector per image (a constant of the window), exactly::

    mean(a*x + b)        ->   a * mean(x) + b
    mean((a*x + b)^2)    ->   a^2 * var(x) + (a * mean(x) + b)^2
    var(a*x + b)         ->   a^2 * var(x)
    max(x + b)           ->   max(x) + b

Afterwards every door reads pixels that no window touched. Localising the original instead would average
values of different windows: the mean over a window of (x[p] - m[p])^2 is not that window's variance.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.localize.component import components
from passes.localize.doors import Door, match
from passes.localize.doors.variance import correction_of
from passes.localize.layout import pixel_layouts
from passes.localize.lifted import Emitter
from passes.program import refresh, where
from passes.result import PassResult, Rewrite
from passes.sizes import ImageSize, image_size, shape_expressions

aten = torch.ops.aten

Factor = fx.Node | float | None


@dataclass(frozen=True)
class AffineForm:
    """``scale * atom + offset``; ``is_nested`` when scale or offset comes from another statistic.

    A scale of None is 1, an offset of None is 0.
    """

    atom: fx.Node
    scale: Factor = None
    offset: Factor = None
    is_nested: bool = False


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
    statistics = {node for part in components(graph, doors, image) for node in part.statistics}
    scope = Scope(statistics, image)
    rewrites = []
    for door in doors:
        separated = _separated(door, scope)
        if separated is None:
            continue
        door.node.replace_all_uses_with(separated)
        rewrites.append(
            Rewrite("nested statistic", where(door.node), str(door.node.target), "of unnormalised pixels")
        )
    if rewrites:
        refresh(program)
    return rewrites


@dataclass(frozen=True)
class Scope:
    """The statistics of all doors, and the symbols that tell a vector per image from pixels."""

    statistics: Collection[fx.Node]
    image: ImageSize

    def is_vector(self, operand: Any) -> bool:
        """Whether ``operand`` is the same for every pixel of a channel."""
        if not isinstance(operand, fx.Node):
            return isinstance(operand, (int, float))
        value = operand.meta.get("val")
        if not isinstance(value, torch.Tensor):
            return isinstance(value, (int, float, torch.SymInt, torch.SymFloat))
        return not self.image.spatial_axes(shape_expressions(operand))


def _separated(door: Door, scope: Scope) -> fx.Node | None:
    """The door's result computed from un-nested doors, or None where it is not nested in such a form."""
    emit = Emitter(door.node)
    formula = _FORMULAS.get(door.node.target)
    if formula is None:
        return None
    base = squared(door.source)
    form = affine_form(base or door.source, emit, scope, door.axes)
    if not form.is_nested:
        return None
    result = formula(emit, door, form, base is not None)
    if result is None or bound_arguments(door.node).get("keepdim", True):
        return result
    return emit.call(aten.squeeze.dims, result, list(door.axes))


def squared(node: fx.Node) -> fx.Node | None:
    """``u`` where ``node`` is ``u * u``."""
    if node.target is aten.pow.Tensor_Scalar and node.args[1] == 2:
        return node.args[0]  # type: ignore[return-value]
    if node.target is aten.square.default or (
        node.target is aten.mul.Tensor and node.args[0] is node.args[1]
    ):
        return node.args[0]  # type: ignore[return-value]
    return None


def affine_form(node: fx.Node, emit: Emitter, scope: Scope, axes: Sequence[int]) -> AffineForm:
    """``node`` as an affine function of the pixels deepest below it, its factors written before the door."""
    step = _STEPS.get(node.target)
    form = step(node, emit, scope, axes) if step else None
    return form or AffineForm(node)


def _sum(node: fx.Node, emit: Emitter, scope: Scope, axes: Sequence[int], sign: int = 1) -> AffineForm | None:
    left: Any
    right: Any
    left, right = node.args[:2]
    if node.kwargs.get("alpha", 1) != 1:
        return None
    if _is_factor(right, node, scope, axes):
        inner = affine_form(left, emit, scope, axes)
        offset: Any = right if sign > 0 else _negated(emit, right)
        return AffineForm(
            inner.atom, inner.scale, _plus(emit, inner.offset, offset), _nests(inner, right, scope)
        )
    if _is_factor(left, node, scope, axes):
        inner = affine_form(right, emit, scope, axes)
        if sign < 0:
            inner = _scaled(emit, inner, -1.0)
        return AffineForm(
            inner.atom, inner.scale, _plus(emit, inner.offset, left), _nests(inner, left, scope)
        )
    return _sum_of_pixels(left, right, emit, scope, axes, sign)


def _sum_of_pixels(
    left: Any, right: Any, emit: Emitter, scope: Scope, axes: Sequence[int], sign: int
) -> AffineForm | None:
    """Two pixel operands that are affine in the same atom, such as ``x - x * a``."""
    if not isinstance(left, fx.Node) or not isinstance(right, fx.Node):
        return None
    first, second = (affine_form(operand, emit, scope, axes) for operand in (left, right))
    if first.atom is not second.atom or not (first.is_nested or second.is_nested):
        return None
    if sign < 0:
        second = _scaled(emit, second, -1.0)
    one = lambda factor: 1.0 if factor is None else factor  # noqa: E731
    scale = emit.call(aten.add.Tensor, *_tensor_first(one(first.scale), one(second.scale)))
    return AffineForm(first.atom, scale, _plus(emit, first.offset, second.offset), True)


def _tensor_first(a: Any, b: Any) -> tuple[Any, Any]:
    return (a, b) if isinstance(a, fx.Node) else (b, a)


def _difference(node: fx.Node, emit: Emitter, scope: Scope, axes: Sequence[int]) -> AffineForm | None:
    return _sum(node, emit, scope, axes, sign=-1)


def _scale(node: fx.Node, emit: Emitter, scope: Scope, axes: Sequence[int]) -> AffineForm | None:
    left, right = node.args[:2]
    if _is_factor(left, node, scope, axes):
        left, right = right, left
    if not _is_factor(right, node, scope, axes):
        return None
    inner = affine_form(left, emit, scope, axes)  # type: ignore[arg-type]
    form = _scaled(emit, inner, right)
    return AffineForm(form.atom, form.scale, form.offset, _nests(inner, right, scope))


def _quotient(node: fx.Node, emit: Emitter, scope: Scope, axes: Sequence[int]) -> AffineForm | None:
    left, right = node.args[:2]
    if node.kwargs.get("rounding_mode") or not _is_factor(right, node, scope, axes):
        return None
    inner = affine_form(left, emit, scope, axes)  # type: ignore[arg-type]
    if isinstance(right, fx.Node):
        form = _scaled(emit, inner, emit.call(aten.reciprocal.default, right))
    else:
        form = _scaled(emit, inner, 1.0 / right)  # type: ignore[operator]
    return AffineForm(form.atom, form.scale, form.offset, _nests(inner, right, scope))


def _negation(node: fx.Node, emit: Emitter, scope: Scope, axes: Sequence[int]) -> AffineForm | None:
    return _scaled(emit, affine_form(node.args[0], emit, scope, axes), -1.0)  # type: ignore[arg-type]


def _first_result(node: fx.Node, emit: Emitter, scope: Scope, axes: Sequence[int]) -> AffineForm | None:
    source, index = node.args
    if (
        index == 0
        and isinstance(source, fx.Node)
        and source.target is aten._native_batch_norm_legit_no_training.default
    ):
        return _batch_norm(source, emit, scope, axes)
    return None


def _batch_norm(node: fx.Node, emit: Emitter, scope: Scope, axes: Sequence[int]) -> AffineForm | None:
    """At inference: ``(x - running_mean) / sqrt(running_var + eps) * weight + bias`` per channel."""
    arguments = bound_arguments(node)
    rank = len(shape_expressions(arguments["input"]))
    if arguments.get("training") or 1 in axes or arguments["running_mean"] is None:
        return None
    mean, variance, weight, bias = (
        None if parameter is None else emit.reshape(parameter, [1, -1, *([1] * (rank - 2))])
        for parameter in (
            arguments["running_mean"], arguments["running_var"], arguments["weight"], arguments["bias"],
        )
    )  # fmt: skip
    assert mean is not None and variance is not None
    scale = emit.call(aten.rsqrt.default, emit.call(aten.add.Tensor, variance, arguments["eps"]))
    if weight is not None:
        scale = emit.call(aten.mul.Tensor, scale, weight)
    inner = affine_form(arguments["input"], emit, scope, axes)
    shifted = AffineForm(
        inner.atom, inner.scale, _plus(emit, inner.offset, _negated(emit, mean)), inner.is_nested
    )
    form = _scaled(emit, shifted, scale)
    return AffineForm(form.atom, form.scale, _plus(emit, form.offset, bias), inner.is_nested)


def _is_factor(operand: Any, node: fx.Node, scope: Scope, axes: Sequence[int]) -> bool:
    """A vector that is the same for every reduced element; ``node`` gives the axes it is aligned to."""
    if not scope.is_vector(operand):
        return False
    if not isinstance(operand, fx.Node) or not isinstance(operand.meta["val"], torch.Tensor):
        return True
    own, rank = shape_expressions(operand), len(shape_expressions(node))
    return all(axis - rank + len(own) < 0 or own[axis - rank + len(own)] == 1 for axis in axes)


def _nests(inner: AffineForm, factor: Any, scope: Scope) -> bool:
    return inner.is_nested or factor in scope.statistics


def _scaled(emit: Emitter, form: AffineForm, factor: Any) -> AffineForm:
    def times(value: Factor) -> Factor:
        if isinstance(value, fx.Node) or isinstance(factor, fx.Node):
            return emit.call(aten.mul.Tensor, *_tensor_first(value, factor))
        assert value is not None
        return value * factor

    scale = factor if form.scale is None else times(form.scale)
    return AffineForm(form.atom, scale, None if form.offset is None else times(form.offset), form.is_nested)


def _plus(emit: Emitter, a: Factor, b: Factor) -> Factor:
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, fx.Node) or isinstance(b, fx.Node):
        return emit.call(aten.add.Tensor, *_tensor_first(a, b))
    return a + b


def _negated(emit: Emitter, value: Any) -> Any:
    return emit.call(aten.neg.default, value) if isinstance(value, fx.Node) else -value


def _moved(emit: Emitter, form: AffineForm, statistic: fx.Node) -> fx.Node:
    """``scale * statistic + offset``."""
    if form.scale is not None:
        statistic = emit.call(aten.mul.Tensor, statistic, form.scale)
    return statistic if form.offset is None else emit.call(aten.add.Tensor, statistic, form.offset)


def _mean(emit: Emitter, door: Door, form: AffineForm, is_squared: bool) -> fx.Node | None:
    if is_squared and _is_centred(form, door):
        return _variance_of(emit, door, form, 0)
    moved = _moved(emit, form, emit.call(aten.mean.dim, form.atom, list(door.axes), True))
    if not is_squared:
        return moved
    square = emit.call(aten.mul.Tensor, moved, moved)
    return emit.call(aten.add.Tensor, _variance_of(emit, door, form, 0), square)


def _is_centred(form: AffineForm, door: Door) -> bool:
    """Whether the form is ``x - mean(x)``, whose mean is 0."""
    negated = form.offset
    if form.scale is not None or not isinstance(negated, fx.Node) or negated.target is not aten.neg.default:
        return False
    mean = negated.args[0]
    return isinstance(mean, fx.Node) and is_mean_of(mean, form.atom, door.axes)


def is_mean_of(node: fx.Node, source: fx.Node, axes: Sequence[int]) -> bool:
    """Whether ``node`` is the mean of ``source`` over ``axes``, dimensions kept."""
    if node.target is not aten.mean.dim or node.args[0] is not source:
        return False
    arguments = bound_arguments(node)
    rank = len(shape_expressions(source))
    return bool(arguments["keepdim"]) and sorted(dim % rank for dim in arguments["dim"] or ()) == sorted(axes)


def _sum_statistic(emit: Emitter, door: Door, form: AffineForm, is_squared: bool) -> fx.Node | None:
    mean = _mean(emit, door, form, is_squared)
    assert mean is not None
    for axis in door.axes:
        mean = emit.call(aten.mul.Tensor, mean, emit.size(door.source, axis))
    return mean


def _variance(emit: Emitter, door: Door, form: AffineForm, is_squared: bool) -> fx.Node | None:
    return None if is_squared else _variance_of(emit, door, form, correction_of(door.node))


def _variance_of(emit: Emitter, door: Door, form: AffineForm, correction: Any) -> fx.Node:
    variance = emit.call(aten.var.correction, form.atom, list(door.axes), correction=correction, keepdim=True)
    if form.scale is None:
        return variance
    scale = form.scale
    square = emit.call(aten.mul.Tensor, scale, scale) if isinstance(scale, fx.Node) else scale * scale
    return emit.call(aten.mul.Tensor, variance, square)


def _maximum(emit: Emitter, door: Door, form: AffineForm, is_squared: bool) -> fx.Node | None:
    if is_squared or form.scale is not None:
        return None
    return _moved(emit, form, emit.call(door.node.target, form.atom, list(door.axes), True))


_STEPS: dict[Any, Any] = {
    aten.add.Tensor: _sum,
    aten.sub.Tensor: _difference,
    aten.mul.Tensor: _scale,
    aten.div.Tensor: _quotient,
    aten.neg.default: _negation,
    aten.batch_norm.default: _batch_norm,
    operator.getitem: _first_result,
}

_FORMULAS: dict[Any, Any] = {
    aten.mean.dim: _mean,
    aten.adaptive_avg_pool2d.default: _mean,
    aten.sum.dim_IntList: _sum_statistic,
    aten.var.correction: _variance,
    aten.var.dim: _variance,
    aten.amax.default: _maximum,
    aten.amin.default: _maximum,
}
