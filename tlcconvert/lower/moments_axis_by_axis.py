"""Norms and variances over the pixels of a map, from means that are taken axis by axis.

Given      y = instance_norm(x)                             x [N, C, H, W]

Result     d = x - mean(x);  y = d / sqrt(mean(d * d) + eps)      means over H of means over W

A runtime's own norm adds the pixels of a plane in one go in float32: onnxruntime's instance norm is off by 4e-5 of
the output's scale at 720x1280, its group norm by 1e-4. The differences from the mean are squared, not the pixels, so
that a flat area at a high level has no variance of its own rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import sympy
import torch
from torch import Tensor, fx

from passes.arguments import bound_arguments
from passes.sizes import shape_expressions

aten = torch.ops.aten

_LONG_SUM = 2**14
"""Elements from which a sum in one go loses too much."""


def instance_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, *others: Any) -> Tensor:
    """``aten.instance_norm`` on statistics of the input; ``others`` end in eps and a flag of no meaning here."""
    eps = others[-2]
    y = _normalized(x, range(2, x.dim()), eps)
    return _scaled(y, *(_per_channel(each, x) for each in (weight, bias)))


def group_norm(
    x: Tensor,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    _: bool = True,
) -> Tensor:
    """``aten.group_norm``."""
    batch, channels, *pixels = x.shape
    grouped = x.reshape(batch, groups, channels // groups, *pixels)
    y = _normalized(grouped, range(2, grouped.dim()), eps).reshape(x.shape)
    return _scaled(y, *(_per_channel(each, x) for each in (weight, bias)))


def layer_norm(
    x: Tensor,
    normalized_shape: Sequence[Any],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    _: bool = True,
) -> Tensor:
    """``aten.layer_norm``."""
    return _scaled(_normalized(x, range(x.dim() - len(normalized_shape), x.dim()), eps), weight, bias)


def variance(
    x: Tensor, dim: Sequence[int] | None = None, unbiased: bool = True, keepdim: bool = False
) -> Tensor:
    """``aten.var.dim``."""
    return corrected_variance(x, dim, correction=int(unbiased), keepdim=keepdim)


def corrected_variance(
    x: Tensor, dim: Sequence[int] | None = None, *, correction: float | None = None, keepdim: bool = False
) -> Tensor:
    """``aten.var.correction``."""
    axes = _axes(x, dim)
    differences = x - x.mean(axes, keepdim=True)
    count = torch.full((), math.prod(x.shape[axis] for axis in axes), dtype=x.dtype, device=x.device)
    divisor = count - (1 if correction is None else correction)
    return (differences * differences).mean(axes, keepdim=keepdim) * (count / divisor)


def _rooted(variance: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *args, **kwargs: variance(*args, **kwargs).sqrt()


def _with_mean(spread: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    def both(x: Tensor, dim: Sequence[int] | None = None, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        keepdim = kwargs.get("keepdim", args[1] if len(args) > 1 else False)
        return spread(x, dim, *args, **kwargs), x.mean(_axes(x, dim), keepdim=keepdim)

    return both


MOMENTS: dict[Any, Callable[..., Any]] = {
    aten.instance_norm.default: instance_norm,
    aten.group_norm.default: group_norm,
    aten.layer_norm.default: layer_norm,
    aten.var.dim: variance,
    aten.var.correction: corrected_variance,
    aten.std.dim: _rooted(variance),
    aten.std.correction: _rooted(corrected_variance),
    aten.var_mean.dim: _with_mean(variance),
    aten.var_mean.correction: _with_mean(corrected_variance),
    aten.std_mean.dim: _with_mean(_rooted(variance)),
    aten.std_mean.correction: _with_mean(_rooted(corrected_variance)),
}
"""What takes the place of each, for :mod:`tlcconvert.lower.local_decomposition`, where it :func:`sums_a_map`."""


def sums_a_map(node: fx.Node) -> bool:
    """Whether ``node`` is one of ``MOMENTS`` over several axes and more elements than may be added in one go."""
    if node.target not in MOMENTS:
        return False
    arguments = bound_arguments(node)
    if arguments.get("use_input_stats") is False:
        return False
    shape = shape_expressions(node.args[0])  # type: ignore[arg-type]
    rank = len(shape)
    if "normalized_shape" in arguments:
        axes = list(range(rank - len(arguments["normalized_shape"]), rank))
    elif "dim" in arguments:
        axes = [axis % rank for axis in arguments["dim"] or range(rank)]
    else:
        axes = list(range(2, rank))
    count = sympy.Mul(*(shape[axis] for axis in axes))
    return len(axes) > 1 and (not count.is_Integer or count >= _LONG_SUM)


def _axes(x: Tensor, dim: Sequence[int] | None) -> list[int]:
    return list(dim) if dim else list(range(x.dim()))


def _normalized(x: Tensor, axes: Sequence[int], eps: float) -> Tensor:
    axes = list(axes)
    differences = x - x.mean(axes, keepdim=True)
    return differences / ((differences * differences).mean(axes, keepdim=True) + eps).sqrt()


def _per_channel(values: Tensor | None, x: Tensor) -> Tensor | None:
    return None if values is None else values.reshape(-1, *[1] * (x.dim() - 2))


def _scaled(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    y = y if weight is None else y * weight
    return y if bias is None else y + bias
