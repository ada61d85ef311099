"""Sums, means, extremes and norms along axes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tlcconvert.errors import InputError
from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node, Value

_Reduce = Callable[[Tensor, list[int], bool], Tensor]


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep).to(x.dtype)
    return x


def _sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.sum(axes, keepdim=keep).to(x.dtype)


def _largest(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if x.dtype == torch.bool:
        return x.byte().amax(axes, keepdim=keep).bool()
    return x.amax(axes, keepdim=keep)


def _smallest(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if x.dtype == torch.bool:
        return x.byte().amin(axes, keepdim=keep).bool()
    return x.amin(axes, keepdim=keep)


def _mean(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if x.is_floating_point():
        return x.mean(axes, keepdim=keep)
    count = torch.ones_like(x).sum(axes, keepdim=True)
    mean = torch.div(x.sum(axes, keepdim=True), count, rounding_mode="trunc").to(x.dtype)
    return mean if keep else mean.reshape(_sum(x, axes, False).shape)


def _length(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if x.is_floating_point():
        return torch.linalg.vector_norm(x, 2, axes, keepdim=keep)
    return torch.sqrt(_sum(x * x, axes, keep))


_REDUCTIONS: dict[str, _Reduce] = {
    "ReduceSum": _sum,
    "ReduceMean": _mean,
    "ReduceMax": _largest,
    "ReduceMin": _smallest,
    "ReduceProd": _product,
    "ReduceL1": lambda x, axes, keep: _sum(x.abs(), axes, keep),
    "ReduceL2": _length,
    "ReduceSumSquare": lambda x, axes, keep: _sum(x * x, axes, keep),
    "ReduceLogSum": lambda x, axes, keep: torch.log(_sum(x, axes, keep)),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep),
}


def _is_empty(x: Tensor, axes: list[int]) -> bool:
    return any(isinstance(x.shape[axis], int) and x.shape[axis] == 0 for axis in axes)


def _register(kind: str, reduce: _Reduce) -> None:
    @operator(kind, sizes=(1,))
    def _reduction(node: Node, x: Tensor, axes: Value = None) -> Tensor:
        """Along ``axes``; without any, along all, or along none with ``noop_with_empty_axes``."""
        along = node.ints("axes", axes)
        if not along:
            if node.get("noop_with_empty_axes", 0):
                return reduce(x.unsqueeze(0), [0], False)
            along = list(range(x.dim()))
        if not along:
            return reduce(x.reshape(1), [0], False)
        if kind in ("ReduceMax", "ReduceMin") and any(
            isinstance(x.shape[axis], int) and x.shape[axis] == 0 for axis in along
        ):
            raise InputError(f"Node {node.name!r:.200} ({kind}) reduces no elements.")
        return reduce(x, along, bool(node.get("keepdims", 1)))


for _kind, _function in _REDUCTIONS.items():
    _register(_kind, _function)


@operator("ArgMax")
def argmax(node: Node, x: Tensor) -> Tensor:
    """The place of the largest along ``axis``; of equal ones the first, or the last with ``select_last_index``."""
    return _place(node, x, x.amax(node.get("axis", 0), keepdim=True))


@operator("ArgMin")
def argmin(node: Node, x: Tensor) -> Tensor:
    """The place of the smallest along ``axis``; of equal ones the first, or the last with ``select_last_index``."""
    return _place(node, x, x.amin(node.get("axis", 0), keepdim=True))


def _place(node: Node, x: Tensor, extreme: Tensor) -> Tensor:
    axis = node.get("axis", 0)
    places = torch.arange(x.shape[axis]).reshape(-1, *[1] * (x.dim() - 1 - axis % x.dim()))
    if node.get("select_last_index", 0):
        found = torch.where(x == extreme, places, -1).amax(axis, keepdim=True)
    else:
        found = torch.where(x == extreme, places, x.shape[axis]).amin(axis, keepdim=True)
    return found if node.get("keepdims", 1) else found.squeeze(axis)


def _register_cumulative(kind: str, accumulate: Callable[[Tensor, int], Tensor], neutral: int) -> None:
    @operator(kind, sizes=(1,))
    def _cumulative(node: Node, x: Tensor, axis: Value) -> Tensor:
        """Running along ``axis``, from its end with ``reverse``, without the element itself with ``exclusive``."""
        (along,) = node.ints("axis", axis) or [0]
        x = x.flip(along) if node.get("reverse", 0) else x
        running = accumulate(x, along).to(x.dtype)
        if node.get("exclusive", 0):
            start = torch.full_like(x.narrow(along, 0, 1), neutral)
            running = torch.cat([start, running.narrow(along, 0, x.shape[along] - 1)], along)
        return running.flip(along) if node.get("reverse", 0) else running


_register_cumulative("CumSum", torch.cumsum, 0)
_register_cumulative("CumProd", torch.cumprod, 1)


@operator("TopK", sizes=(1,), outputs=2)
def top_k(node: Node, x: Tensor, k: Value = None) -> tuple[Tensor, Tensor]:
    """The ``k`` largest (or smallest) along ``axis``, sorted, and their places; of equal ones the first places."""
    (count,) = node.ints("k", k) or [1]
    axis = node.get("axis", -1)
    values, places = torch.sort(x, dim=axis, descending=bool(node.get("largest", 1)), stable=True)
    return values.narrow(axis, 0, count), places.narrow(axis, 0, count)
