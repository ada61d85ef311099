"""Affine functions of pixels with factors that are one vector per image, as expressions that are not in the graph.

    scale * atom + offset

Reading one off the graph writes nothing; what is wanted of it is written at the end, by :func:`written`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx

from passes.emitter import Emitter

aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class Call:
    """A node that is not in the graph: its arguments are nodes, numbers, lists of them, and other calls."""

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


Factor = fx.Node | Call | float | None


def call(target: Any, *args: Any, **kwargs: Any) -> Call:
    return Call(target, args, kwargs)


def written(value: Any, emit: Emitter, made: dict[Call, fx.Node]) -> Any:
    """``value`` with a node for every call in it; those of ``made`` are there already."""
    if not isinstance(value, Call):
        return value
    if value not in made:
        args = [written(argument, emit, made) for argument in value.args]
        made[value] = emit.call(value.target, *args, **value.kwargs)
    return made[value]


@dataclass(frozen=True)
class AffineForm:
    """``scale * atom + offset``; ``is_nested`` when scale or offset comes from another statistic.

    A scale of None is 1, an offset of None is 0.
    """

    atom: fx.Node
    scale: Factor = None
    offset: Factor = None
    is_nested: bool = False


def is_node(value: Any) -> bool:
    return isinstance(value, (fx.Node, Call))


def tensor_first(a: Any, b: Any) -> tuple[Any, Any]:
    return (a, b) if is_node(a) else (b, a)


def scaled(form: AffineForm, factor: Any) -> AffineForm:
    def times(value: Any) -> Any:
        if is_node(value) or is_node(factor):
            return call(aten.mul.Tensor, *tensor_first(value, factor))
        return value * factor

    scale = factor if form.scale is None else times(form.scale)
    return replace(form, scale=scale, offset=None if form.offset is None else times(form.offset))


def plus(a: Any, b: Any) -> Factor:
    if a is None or b is None:
        return b if a is None else a
    return call(aten.add.Tensor, *tensor_first(a, b)) if is_node(a) or is_node(b) else a + b


def negated(value: Any) -> Any:
    return call(aten.neg.default, value) if is_node(value) else -value


def moved(form: AffineForm, statistic: Call) -> Call:
    """``scale * statistic + offset``."""
    if form.scale is not None:
        statistic = call(aten.mul.Tensor, statistic, form.scale)
    return statistic if form.offset is None else call(aten.add.Tensor, statistic, form.offset)
