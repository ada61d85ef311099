"""What else a global log-sum-exp is written as.

    log(sum(exp(x), D))                  ->   logsumexp(x, D)
    log(mean(exp(x), D))                 ->   logsumexp(x, D) - log n          n = number of reduced elements
    logsumexp(x - m, D) - c + m          ->   logsumexp(x, D) - c              m the same all over D, as max(x, D) is
    special_logsumexp(x, D)              ->   logsumexp(x, D)

m guards against overflow; the operator needs no guard, and m may have no form over windows, as a maximum that is
replaced where it is infinite. Window sums of exp(x) would lose what is small beside the largest of the map, and then
have no logarithm.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.sizes import shape_expressions
from passes.statistics.mean.door import averaged_dims
from passes.window_domain.affine_pixels import Call, call
from passes.window_domain.door import dims_argument, reduced_axes

aten = torch.ops.aten

_DROPS_ONES = (aten.squeeze.dims, aten.squeeze.dim, aten.view.default, aten.reshape.default)


def spelled(node: fx.Node) -> Call | None:
    """``node`` by a log-sum-exp, if it is one."""
    if node.target is aten.special_logsumexp.default:
        return Call(aten.logsumexp.default, node.args, dict(node.kwargs))
    if node.target is aten.log.default:
        return _written_out(node.all_input_nodes[0])
    if node.target is aten.add.Tensor and node.kwargs.get("alpha", 1) == 1:
        first, second = node.args
        return _shifted_back(first, second) or _shifted_back(second, first)
    return None


def _written_out(reduced: fx.Node) -> Call | None:
    """The log of ``reduced``, if that is a sum or a mean of exp(x)."""
    is_sum = reduced.target is aten.sum.dim_IntList
    dims = dims_argument(reduced) if is_sum else averaged_dims(reduced)
    if dims is None or reduced.kwargs.get("dtype") is not None:
        return None
    exponential = reduced.all_input_nodes[0]
    if exponential.target is not aten.exp.default:
        return None
    x = exponential.all_input_nodes[0]
    result = call(aten.logsumexp.default, x, list(dims), bound_arguments(reduced).get("keepdim", True))
    return result if is_sum else call(aten.sub.Tensor, result, call(aten.log.default, _count(x, dims)))


def _count(x: fx.Node, dims: Sequence[int]) -> Call:
    """The number of reduced elements as a tensor without axes; of x - m it reads x, so that m may go."""
    pixels = x.args[0] if x.target is aten.sub.Tensor else x
    if not isinstance(pixels, fx.Node) or shape_expressions(pixels) != shape_expressions(x):
        pixels = x
    sizes = (call(aten.sym_size.int, pixels, dim) for dim in dims)
    count = reduce(partial(call, operator.mul), sizes)
    holds_count = torch.promote_types(x.meta["val"].dtype, torch.float32)
    return call(aten.scalar_tensor.default, count, dtype=holds_count)


def _shifted_back(shifted: Any, added: Any) -> Call | None:
    """logsumexp(x - m) + m, or logsumexp(x - m) - c + m, without m."""
    if not isinstance(shifted, fx.Node) or not isinstance(added, fx.Node):
        return None
    if shifted.target is aten.sub.Tensor and not shifted.kwargs:
        inner = _shifted_back(shifted.args[0], added)
        return inner and call(aten.sub.Tensor, inner, shifted.args[1])
    if shifted.target is not aten.logsumexp.default:
        return None
    difference = shifted.args[0]
    assert isinstance(difference, fx.Node)
    if difference.target is not aten.sub.Tensor or difference.kwargs:
        return None
    x, m = difference.args
    if not isinstance(x, fx.Node) or _before_dropping_ones(added) is not _before_dropping_ones(m):
        return None
    assert isinstance(m, fx.Node)
    axes, keepdim = reduced_axes(shifted)
    if axes is None:
        return None
    sizes = list(enumerate(shape_expressions(x)))
    kept = tuple(1 if axis in axes else size for axis, size in sizes)
    dropped = tuple(size for axis, size in sizes if axis not in axes)
    if shape_expressions(m) != kept or shape_expressions(added) != (kept if keepdim else dropped):
        return None
    return call(aten.logsumexp.default, x, axes, keepdim)


def _before_dropping_ones(value: Any) -> Any:
    while isinstance(value, fx.Node) and value.target in _DROPS_ONES:
        value = value.args[0]
    return value
