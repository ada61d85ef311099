"""Elements chosen by an index.

table[indices]                 a row of a table for every pixel: the places of the indices
x[:, indices]                  channels in another order
x[mask] .. y[mask] = f(..)     taken out and put back by one mask: in place
gather, scatter                in place on every axis but the one they choose along
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from passes.sizes import shape_expressions
from passes.window_domain.descent.digits import Axes, Digits, channels, steps_of, unknown
from passes.window_domain.descent.operation import NoRule, Operation, Rule
from passes.window_domain.descent.rules.orders import has_order


def embedding(operation: Operation) -> Axes:
    table, indices = operation.node.args[:2]
    if not operation.is_constant(table):
        raise NoRule
    return (*operation.axes(indices), operation.plain(operation.shape[-1]))


def index(operation: Operation) -> Axes:
    source, indices = operation.node.args[:2]
    assert isinstance(source, fx.Node)
    dim, chosen = _only(indices)
    axes, inserted = operation.axes(source), operation.axes(chosen)
    if chosen.meta["val"].dtype is torch.bool:
        return _picked(operation, axes, inserted, dim, chosen)
    if has_order(axes[dim]):
        raise NoRule
    if operation.is_constant(source) or all(size.is_Integer for size in shape_expressions(chosen)):
        return (*axes[:dim], *inserted, *axes[dim + 1 :])
    raise NoRule


def _only(indices: Any) -> tuple[int, fx.Node]:
    """The one axis that is indexed, and by what."""
    found = [(dim, chosen) for dim, chosen in enumerate(indices) if chosen is not None]
    if len(found) != 1:
        raise NoRule
    return found[0]


def _picked(operation: Operation, axes: Axes, mask: Axes, dim: int, chosen: fx.Node) -> Axes:
    """The elements a mask of the tensor's leading axes selects, in one axis."""
    count = len(mask)
    if dim or _is_lost(operation, axes[:count], mask, shape_expressions(chosen)):
        raise NoRule
    size = operation.sizes[0]
    return (unknown(size, (operation.step("picked", "picked", key=_Value(chosen)),)), *axes[count:])


def _is_lost(operation: Operation, axes: Axes, mask: Axes, shape: Any) -> bool:
    return any(steps_of(digits) for digits in operation.combined([axes, mask], shape))


def put(operation: Operation) -> Axes:
    """``y[mask] = values`` with one value, or with what the same mask picked."""
    target, indices, values = operation.node.args[:3]
    dim, chosen = _only(indices)
    if dim or chosen.meta["val"].dtype is not torch.bool or operation.arguments["accumulate"]:
        raise NoRule
    assert isinstance(values, fx.Node)
    picked = operation.axes(values)
    mask = operation.axes(chosen)
    rest: Axes = ()
    if picked and picked[0]:
        last = picked[0][0].steps[-1] if picked[0][0].steps else None
        if last is None or last.kind != "picked" or last.key != _Value(chosen):
            raise NoRule
        rest = picked[1:]
    missing = len(operation.shape) - len(mask)
    result = operation.combined([operation.axes(target), (*mask, *[()] * missing)])
    return (
        *result[: len(mask)],
        *operation.combined([result[len(mask) :], rest], operation.shape[len(mask) :]),
    )


class _Value:
    """A node by what it computes, so that one mask written twice is one."""

    def __init__(self, node: fx.Node) -> None:
        self.node = node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Value) and _is_same_value(self.node, other.node)

    def __hash__(self) -> int:
        return hash(str(self.node.target))


def _is_same_value(a: Any, b: Any, depth: int = 6) -> bool:
    """Whether two arguments are one value: nodes of one operator on the same arguments, a few operators deep."""
    if a is b or not depth:
        return a is b
    if isinstance(a, fx.Node) and isinstance(b, fx.Node):
        same_operator = a.op == b.op == "call_function" and a.target is b.target
        return same_operator and _are_same(a.args, b.args, depth - 1) and a.kwargs == b.kwargs
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return _are_same(a, b, depth)
    return type(a) is type(b) and not isinstance(a, fx.Node) and bool(a == b)


def _are_same(a: Sequence[Any], b: Sequence[Any], depth: int) -> bool:
    return len(a) == len(b) and all(_is_same_value(x, y, depth) for x, y in zip(a, b, strict=True))


def gather(operation: Operation) -> Axes:
    arguments = operation.arguments
    axes, chosen = operation.axes(arguments["self"]), operation.axes(arguments["index"])
    if not axes:
        raise NoRule
    dim = arguments["dim"] % len(axes)
    size = operation.sizes[dim]
    picked = operation.ended(axes[dim], size, "gathered") if has_order(axes[dim]) else chosen[dim]
    return _along(operation, axes, chosen, dim, picked)


def scatter(operation: Operation) -> Axes:
    arguments = operation.arguments
    axes, chosen = operation.axes(arguments["self"]), operation.axes(arguments["index"])
    if not axes:
        raise NoRule
    dim = arguments["dim"] % len(axes)
    is_lost = has_order(axes[dim]) or has_order(chosen[dim])
    put_ = operation.ended(axes[dim], operation.sizes[dim], "scattered") if is_lost else axes[dim]
    return _along(operation, axes, chosen, dim, put_)


def _along(operation: Operation, axes: Axes, chosen: Axes, dim: int, digits: Digits) -> Axes:
    """``digits`` at ``dim``, and the places of both operands on every other axis."""
    others = operation.combined(
        [(*axes[:dim], (), *axes[dim + 1 :]), (*chosen[:dim], (), *chosen[dim + 1 :])]
    )
    return (*others[:dim], digits, *others[dim + 1 :])


def index_select(operation: Operation) -> Axes:
    arguments = operation.arguments
    axes = list(operation.axes(arguments["self"]))
    dim = arguments["dim"] % len(axes)
    size = operation.sizes[dim]
    axes[dim] = operation.ended(axes[dim], size, "indexed") if has_order(axes[dim]) else channels(size)
    return tuple(axes)


RULES: dict[str, Rule] = {
    "embedding": embedding,
    "index": index,
    "index_put": put,
    "index_select": index_select,
    "gather": gather,
    "take_along_dim": gather,
    **dict.fromkeys(("scatter", "scatter_add", "scatter_reduce"), scatter),
}
