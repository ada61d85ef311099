"""What else a global mean is written as.

    sum(x, D) / n                ->   mean(x, D)                   where n is the number of reduced elements
    avg_pool2d(x, kernel HxW)    ->   mean(x, {H, W})

``n`` is compared symbolically: a sum over a fixed number is no mean.
"""

from __future__ import annotations

from typing import Any

import sympy
import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.sizes import expression, same, shape_expressions
from passes.window_domain.affine_pixels import Call, call
from passes.window_domain.door import reduced_axes

aten = torch.ops.aten


def spelled(node: fx.Node) -> Call | None:
    """``node`` as a mean, if it is one."""
    return _pooled(node) or _mean_of_sum(node)


def _pooled(node: fx.Node) -> Call | None:
    """An average pool without padding whose kernel is the whole map."""
    if node.target is not aten.avg_pool2d.default:
        return None
    arguments = bound_arguments(node)
    kernel = [_size(size) for size in arguments["kernel_size"]]
    height, width = shape_expressions(arguments["self"])[-2:]
    covers = same(kernel[0], height) and same(kernel[-1], width)
    if not covers or any(arguments["padding"]) or arguments["divisor_override"] is not None:
        return None
    return call(aten.mean.dim, arguments["self"], [-2, -1], True)


def _size(size: Any) -> sympy.Expr:
    return expression(size.meta["val"] if isinstance(size, fx.Node) else size)


def _mean_of_sum(node: fx.Node) -> Call | None:
    """``sum / n`` with n the reduced count, written as a size or as a tensor made of one."""
    if node.target not in (aten.div.Tensor, aten.div.Scalar):
        return None
    total, count = node.args[:2]
    if not isinstance(total, fx.Node) or total.target is not aten.sum.dim_IntList:
        return None
    dims, keepdim = reduced_axes(total)
    reduced = _count(count)
    if dims is None or reduced is None or total.kwargs.get("dtype") is not None:
        return None
    shape = shape_expressions(total.args[0])  # type: ignore[arg-type]
    if not same(reduced, sympy.Mul(*(shape[dim] for dim in dims))):
        return None
    return call(aten.mean.dim, total.args[0], dims, keepdim)


def _count(value: Any) -> sympy.Expr | None:
    if isinstance(value, int):
        return sympy.Integer(value)
    if not isinstance(value, fx.Node):
        return None
    if value.target is aten.scalar_tensor.default:
        return _count(value.args[0])
    size = value.meta.get("val")
    if isinstance(size, torch.SymInt):
        return expression(size)
    if isinstance(size, torch.SymFloat) and len(value.args) == 1:
        return _count(value.args[0])
    return None
