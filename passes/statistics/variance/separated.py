"""Variances of affine functions of pixels, from those of the pixels.

var(a*x + b)   ->   a^2 * var(x)
"""

from __future__ import annotations

from typing import Any

import torch

from passes.statistics.variance.door import correction_of
from passes.window_domain.affine_pixels import AffineForm, Call, call, is_node
from passes.window_domain.door import Door

aten = torch.ops.aten


def variance(door: Door, form: AffineForm, is_squared: bool) -> Call | None:
    return None if is_squared else variance_of(door, form, correction_of(door.node))


def variance_of(door: Door, form: AffineForm, correction: Any) -> Call:
    spread = call(aten.var.correction, form.atom, list(door.axes), correction=correction, keepdim=True)
    if form.scale is None:
        return spread
    scale = form.scale
    square = call(aten.mul.Tensor, scale, scale) if is_node(scale) else scale * scale  # type: ignore[operator]
    return call(aten.mul.Tensor, spread, square)


SEPARATED = {aten.var.correction: variance, aten.var.dim: variance}
