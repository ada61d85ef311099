"""Different spellings of one global statistic, brought to one form before doors are looked for.

    mean(mean(x, W), H)          ->   mean(x, {H, W})              also sum, amax, amin
    sum(x, D) / n                ->   mean(x, D)                   where n is the number of reduced elements
    avg_pool2d(x, kernel HxW)    ->   mean(x, {H, W})

All are exact on the global network. ``n`` is compared symbolically: a sum over a fixed number is no mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy
import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.emitter import Emitter, substitute
from passes.program import refresh, where
from passes.result import PassResult, Rewrite
from passes.sizes import expression, same, shape_expressions

aten = torch.ops.aten

_REDUCTIONS = (aten.mean.dim, aten.sum.dim_IntList, aten.amax.default, aten.amin.default)


def unify_global_forms(program: ExportedProgram) -> PassResult:
    """Rewrites every such spelling in ``program``, in place."""
    rewrites = []
    for node in list(program.graph.nodes):
        replacement = _pooled(node) or _sequential(node) or _mean_of_sum(node)
        if replacement is None:
            continue
        target, args = replacement
        substitute(node, Emitter(node).call(target, *args))
        rewrites.append(Rewrite("spelling of a statistic", where(node), str(node.target), str(target)))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


Call = tuple[Any, tuple[Any, ...]]


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
    return aten.mean.dim, (arguments["self"], [-2, -1], True)


def _size(size: Any) -> sympy.Expr:
    return expression(size.meta["val"] if isinstance(size, fx.Node) else size)


def _sequential(node: fx.Node) -> Call | None:
    """A reduction of a reduction of the same kind."""
    if node.target not in _REDUCTIONS or not isinstance(inner := node.args[0], fx.Node):
        return None
    if inner.target is not node.target or len(inner.users) != 1:
        return None
    first, keeps_first = _dims(inner)
    second, keeps_second = _dims(node)
    if first is None or second is None or keeps_first != keeps_second:
        return None
    source = inner.args[0]
    assert isinstance(source, fx.Node)
    left = [axis for axis in range(len(shape_expressions(source))) if keeps_first or axis not in first]
    dims = sorted({*first, *(left[axis] for axis in second)})
    return node.target, (source, dims, keeps_second)


def _dims(node: fx.Node) -> tuple[Sequence[int] | None, bool]:
    arguments = bound_arguments(node)
    rank = len(shape_expressions(arguments["self"]))
    dims = arguments["dim"]
    return ([dim % rank for dim in dims] if dims else None), arguments["keepdim"]


def _mean_of_sum(node: fx.Node) -> Call | None:
    """``sum / n`` with n the reduced count, written as a size or as a tensor made of one."""
    if node.target not in (aten.div.Tensor, aten.div.Scalar):
        return None
    total, count = node.args[:2]
    if not isinstance(total, fx.Node) or total.target is not aten.sum.dim_IntList:
        return None
    dims, keepdim = _dims(total)
    reduced = _count(count)
    if dims is None or reduced is None or total.kwargs.get("dtype") is not None:
        return None
    shape = shape_expressions(total.args[0])  # type: ignore[arg-type]
    if not same(reduced, sympy.Mul(*(shape[dim] for dim in dims))):
        return None
    return aten.mean.dim, (total.args[0], list(dims), keepdim)


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
