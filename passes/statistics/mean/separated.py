"""Means of affine functions of pixels, from statistics of the pixels.

mean(a*x + b)        ->   a * mean(x) + b
mean((a*x + b)^2)    ->   a^2 * var(x) + (a * mean(x) + b)^2
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from passes.statistics.mean.door import is_mean_of
from passes.statistics.variance.separated import variance_of
from passes.window_domain.affine_pixels import AffineForm, Call, call, moved
from passes.window_domain.door import Door

aten = torch.ops.aten


def mean(door: Door, form: AffineForm, is_squared: bool) -> Call:
    if is_squared and _is_centred(form, door):
        return variance_of(door, form, 0)
    first = moved(form, call(aten.mean.dim, form.atom, list(door.axes), True))
    if not is_squared:
        return first
    square = call(aten.mul.Tensor, first, first)
    return call(aten.add.Tensor, variance_of(door, form, 0), square)


def total(door: Door, form: AffineForm, is_squared: bool) -> Call:
    result = mean(door, form, is_squared)
    for axis in door.axes:
        result = call(aten.mul.Tensor, result, call(aten.sym_size.int, door.source, axis))
    return result


def _is_centred(form: AffineForm, door: Door) -> bool:
    """Whether the form is ``x - mean(x)``, whose mean is 0."""
    subtracted: Any = form.offset
    if form.scale is not None or not isinstance(subtracted, (fx.Node, Call)):
        return False
    if subtracted.target is not aten.neg.default:
        return False
    level = subtracted.args[0]
    return isinstance(level, fx.Node) and is_mean_of(level, form.atom, door.axes)


SEPARATED = {
    aten.mean.dim: mean,
    aten.adaptive_avg_pool2d.default: mean,
    aten.sum.dim_IntList: total,
}
