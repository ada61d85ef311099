"""Operators that read or write at places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node


def _from_the_front(places: Tensor, extent: Any) -> Tensor:
    """Places counted from the end where negative."""
    return torch.where(places < 0, places + extent, places).long()


@operator("Gather")
def gather(node: Node, x: Tensor, places: Tensor) -> Tensor:
    """``x`` at ``places`` along ``axis``, which the axes of ``places`` replace."""
    axis = node.get("axis", 0) % x.dim()
    places = _from_the_front(places, x.shape[axis])
    if places.dim() == 1:
        return x.index_select(axis, places)
    picked = x.index_select(axis, places.reshape(-1))
    return picked.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


@operator("GatherElements")
def gather_elements(node: Node, x: Tensor, places: Tensor) -> Tensor:
    """One element per place, along ``axis``."""
    axis = node.get("axis", 0)
    return x.gather(axis, _from_the_front(places, x.shape[axis]))


@operator("GatherND")
def gather_nd(node: Node, x: Tensor, places: Tensor) -> Tensor:
    """What stands at the index in the last axis of ``places``, behind ``batch_dims`` axes in common."""
    batch = node.get("batch_dims", 0)
    shared = places.shape[:batch]
    index = [
        torch.arange(extent).reshape([-1 if axis == own else 1 for axis in range(places.dim() - 1)])
        for own, extent in enumerate(shared)
    ]
    index += [
        _from_the_front(places[..., number], x.shape[batch + number])
        for number in range(int(places.shape[-1]))
    ]
    return x[tuple(index)]


_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _known_reduction(node: Node) -> str:
    reduction = node.get("reduction", "none")
    return "" if reduction in (*_REDUCTIONS, "none") else f"its reduction {reduction!r:.20} is not known"


@operator("ScatterElements", "Scatter", refusal=_known_reduction)
def scatter_elements(node: Node, x: Tensor, places: Tensor, updates: Tensor) -> Tensor:
    """``x`` with one element written, or combined, per place along ``axis``."""
    axis, reduction = node.get("axis", 0), node.get("reduction", "none")
    places = _from_the_front(places, x.shape[axis])
    if reduction == "none":
        return x.scatter(axis, places, updates)
    return x.scatter_reduce(axis, places, updates, _REDUCTIONS[reduction], include_self=True)


@operator("ScatterND", refusal=_known_reduction)
def scatter_nd(node: Node, x: Tensor, places: Tensor, updates: Tensor) -> Tensor:
    """``x`` with what ``updates`` has written, or combined, at the indices in the last axis of ``places``."""
    depth = int(places.shape[-1])
    flat_place = torch.zeros_like(places[..., 0])
    for number in range(depth):
        flat_place = flat_place * x.shape[number] + _from_the_front(places[..., number], x.shape[number])
    rows, columns = _product(x.shape[:depth]), _product(x.shape[depth:])
    flat = x.reshape(rows, columns)
    own = flat_place.reshape(-1, 1).expand(-1, columns)
    new = updates.reshape(_product(places.shape[:-1]), columns)
    reduction = node.get("reduction", "none")
    if reduction == "none":
        return flat.scatter(0, own, new).reshape(x.shape)
    return flat.scatter_reduce(0, own, new, _REDUCTIONS[reduction], include_self=True).reshape(x.shape)


def _product(extents: Sequence[Any]) -> Any:
    count = 1
    for extent in extents:
        count = count * extent
    return count


@operator("OneHot", sizes=(1,))
def one_hot(node: Node, places: Tensor, depth: Any, values: Tensor) -> Tensor:
    """``values[1]`` at each place along a new ``axis`` of ``depth`` elements, else ``values[0]``."""
    (count,) = [int(number) for number in depth.items]
    axis = node.get("axis", -1)
    axis = axis % (places.dim() + 1)
    wanted = places.unsqueeze(axis).long()
    numbers = torch.arange(count).reshape(-1, *[1] * (places.dim() - axis))
    is_hot = torch.where(wanted < 0, wanted + count, wanted) == numbers
    return torch.where(is_hot, values[1], values[0])
