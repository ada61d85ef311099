"""Operators that move elements and compute nothing."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tlcconvert.errors import InputError
from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node, Value
from tlcconvert.onnx_input.values.sizes import Sizes

MOST_ELEMENTS = 1 << 28
"""Of a tensor made from numbers in a file."""


def refuse_absurd(node: Node, shape: list[Any]) -> None:
    """
    Raises:
        InputError: numbers in the file ask for a tensor no network has.
    """
    count = 1
    for extent in shape:
        count *= extent if isinstance(extent, int) else 1
    if count > MOST_ELEMENTS:
        raise InputError(f"Node {node.name!r:.200} ({node.kind}) makes a tensor of {count} elements.")


@operator("Identity")
def identity(node: Node, x: Tensor) -> Tensor:
    """``x``."""
    return x


@operator("Dropout", outputs=2, sizes=(1, 2), refusal=lambda node: "")
def dropout(node: Node, x: Tensor, ratio: Value = None, training: Value = None) -> tuple[Tensor, Tensor]:
    """``x`` and a mask of trues: nothing is dropped outside training."""
    if training is not None and (node.ints("", training) or [0])[0]:
        raise InputError(f"Node {node.name!r:.200} (Dropout) is in training mode.")
    return x, torch.ones_like(x, dtype=torch.bool)


@operator("Reshape", sizes=(1,))
def reshape(node: Node, x: Tensor, shape: Value = None) -> Tensor:
    """To ``shape``, where 0 is the input's extent (unless ``allowzero``) and one -1 what is left."""
    wanted = list(node.ints("shape", shape) or [])
    if not node.get("allowzero", 0):
        wanted = [
            x.shape[axis] if isinstance(extent, int) and extent == 0 else extent
            for axis, extent in enumerate(wanted)
        ]
    return x.reshape(wanted)


@operator("Flatten")
def flatten(node: Node, x: Tensor) -> Tensor:
    """To two axes, the second from ``axis`` on."""
    axis = node.get("axis", 1)
    if axis == 0:
        return x.reshape(1, -1)
    if axis == 1 and x.dim() > 1:
        return x.flatten(1)
    axis = axis % x.dim() if axis < x.dim() else axis
    first = 1
    for extent in x.shape[:axis]:
        first = first * extent
    return x.reshape(first, -1)


@operator("Transpose")
def transpose(node: Node, x: Tensor) -> Tensor:
    """Axes in the order ``perm``, by default reversed."""
    order = node.get("perm")
    return x.permute(list(range(x.dim()))[::-1] if order is None else list(order))


@operator("Squeeze", sizes=(1,))
def squeeze(node: Node, x: Tensor, axes: Value = None) -> Tensor:
    """Without ``axes``, or without all axes of one element."""
    along = node.ints("axes", axes)
    return x.squeeze() if along is None else x.squeeze(tuple(along))


@operator("Unsqueeze", sizes=(1,))
def unsqueeze(node: Node, x: Tensor, axes: Value = None) -> Tensor:
    """With ``axes`` of one element, counted in the result."""
    along = node.ints("axes", axes) or []
    rank = x.dim() + len(along)
    for axis in sorted(axis % rank for axis in along):
        x = x.unsqueeze(axis)
    return x


@operator("Concat")
def concat(node: Node, *inputs: Tensor) -> Tensor:
    """Along ``axis``."""
    return torch.cat(inputs, node.get("axis", 1))


@operator("Split", sizes=(1,), outputs=10_000)
def split(node: Node, x: Tensor, parts: Value = None) -> tuple[Tensor, ...]:
    """Along ``axis`` into parts of these extents, or into as many equal ones as there are outputs.

    The last of equal parts is the smaller one.
    """
    axis, count = node.get("axis", 0), len(node.outputs)
    extents = node.ints("split", parts)
    extent = x.shape[axis]
    if extents is None and isinstance(extent, int) and extent % count == 0:
        return x.chunk(count, axis)
    if extents is None:
        largest = -(-extent // count)
        extents = [largest] * (count - 1) + [extent - largest * (count - 1)]
    return torch.split(x, extents, axis)


@operator("Slice", sizes=(1, 2, 3, 4))
def slice_(
    node: Node, x: Tensor, starts: Value = None, ends: Value = None, axes: Value = None, steps: Value = None
) -> Tensor:
    """From start to end, both counted from the end where negative, both cut to the axis; steps may be negative."""
    first, last = node.ints("starts", starts) or [], node.ints("ends", ends) or []
    along = node.ints("axes", axes)
    along = list(range(len(first))) if along is None else along
    every = node.ints("steps", steps) or [1] * len(first)
    for start, end, axis, step in zip(first, last, along, every, strict=True):
        x = _sliced(x, start, end, axis % x.dim(), step)
    return x


def _sliced(x: Tensor, start: Any, end: Any, axis: int, step: int) -> Tensor:
    if step > 0:
        return torch.ops.aten.slice.Tensor(x, axis, start, _far(end), step)
    # From the other end, the element at i is the one at extent - 1 - i.
    extent = x.shape[axis]
    mirrored = [_mirrored(bound, extent) for bound in (start, end)]
    return torch.ops.aten.slice.Tensor(x.flip(axis), axis, mirrored[0], mirrored[1], -step)


def _mirrored(bound: Any, extent: Any) -> Any:
    from_the_front = bound + extent if bound < 0 else bound
    if from_the_front >= extent:
        return 0
    return extent if from_the_front < 0 else extent - 1 - from_the_front


def _far(end: Any) -> Any:
    """None for an end beyond every axis."""
    return None if isinstance(end, int) and end >= 2**31 - 1 else end


@operator("Expand", sizes=(1,))
def expand(node: Node, x: Tensor, shape: Value) -> Tensor:
    """Broadcast together with ``shape``; 1 there leaves an axis as it is."""
    wanted = list(node.ints("shape", shape) or [])
    refuse_absurd(node, wanted)
    own = [1] * (len(wanted) - x.dim()) + list(x.shape)
    wanted = [1] * (len(own) - len(wanted)) + wanted
    return x.expand(
        [
            extent if isinstance(other, int) and other == 1 else other
            for extent, other in zip(own, wanted, strict=True)
        ]
    )


@operator("Tile", sizes=(1,))
def tile(node: Node, x: Tensor, repeats: Value) -> Tensor:
    """Repeated along each axis."""
    times = list(node.ints("repeats", repeats) or [])
    refuse_absurd(node, [extent * time for extent, time in zip(x.shape, times, strict=True)])
    return x.repeat(times)


_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@operator("Pad", sizes=(1, 2, 3))
def pad(node: Node, x: Tensor, pads: Value = None, value: Value = None, axes: Value = None) -> Tensor:
    """Elements before and after each axis; negative numbers take elements away."""
    counts = node.ints("pads", pads)
    counts = list(node.get("paddings") or []) if counts is None else counts
    along = node.ints("axes", axes)
    along = list(range(x.dim())) if along is None else [axis % x.dim() for axis in along]
    both = {axis: (counts[place], counts[place + len(along)]) for place, axis in enumerate(along)}
    mode = node.get("mode", "constant")
    refuse_absurd(node, [extent + sum(both.get(axis, (0, 0))) for axis, extent in enumerate(x.shape)])
    if mode == "constant":
        number = value.items[0] if isinstance(value, Sizes) and value.items else node.get("value", 0.0)
        return F.pad(x, _from_the_last(both, x.dim()), value=number)
    return _continued(x, both, mode)


def _continued(x: Tensor, both: dict[int, tuple[Any, Any]], mode: str) -> Tensor:
    """As PyTorch pads the last axes of a map, and by places where it does not."""
    real = {axis: pair for axis, pair in both.items() if not _are_zero(pair)}
    spatial = x.dim() - 2
    grows = all(not isinstance(number, int) or number >= 0 for pair in real.values() for number in pair)
    if 1 <= spatial <= 3 and min(real, default=2) >= 2 and grows and x.is_floating_point():
        flat = _from_the_last({axis: both.get(axis, (0, 0)) for axis in range(2, x.dim())}, x.dim(), first=2)
        return F.pad(x, flat, mode=_MODES[mode])
    for axis, (before, after) in real.items():
        x = x.index_select(axis, _places(x.shape[axis], before, after, mode))
    return x


def _places(extent: Any, before: Any, after: Any, mode: str) -> Tensor:
    """Which element stands at each place of the padded axis."""
    places = torch.arange(-before, extent + after)
    if mode == "edge":
        return places.clamp(0, extent - 1)
    if mode == "wrap":
        return places.remainder(extent)
    period = torch.sym_max(2 * (extent - 1), 1)
    folded = places.remainder(period)
    return torch.where(folded >= extent, period - folded, folded)


def _are_zero(pair: tuple[Any, Any]) -> bool:
    return all(isinstance(number, int) and number == 0 for number in pair)


def _from_the_last(both: dict[int, tuple[Any, Any]], rank: int, first: int | None = None) -> list[Any]:
    """As ``F.pad`` takes pads: from the last axis to ``first``, or to the first that has some."""
    if first is None:
        first = min((axis for axis, pair in both.items() if not _are_zero(pair)), default=rank)
    return [number for axis in range(rank - 1, first - 1, -1) for number in both.get(axis, (0, 0))]


@operator("DepthToSpace")
def depth_to_space(node: Node, x: Tensor) -> Tensor:
    """Channels to blocks of pixels; block first (DCR) or, as a pixel shuffle, channel first (CRD)."""
    block = node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, block)
    n, c, h, w = x.shape
    split = x.reshape(n, block, block, c // (block * block), h, w)
    return split.permute(0, 3, 4, 1, 5, 2).reshape(n, c // (block * block), h * block, w * block)


def _refused_mode(node: Node) -> str:
    return "" if node.get("mode", "DCR") in ("DCR", "CRD") else "its mode is not known"


@operator("SpaceToDepth", refusal=_refused_mode)
def space_to_depth(node: Node, x: Tensor) -> Tensor:
    """Blocks of pixels to channels; block first (DCR) or, as a pixel unshuffle, channel first (CRD)."""
    block = node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return F.pixel_unshuffle(x, block)
    n, c, h, w = x.shape
    split = x.reshape(n, c, h // block, block, w // block, block)
    return split.permute(0, 3, 5, 1, 2, 4).reshape(n, c * block * block, h // block, w // block)


@operator("Trilu", sizes=(1,))
def trilu(node: Node, x: Tensor, k: Value = None) -> Tensor:
    """The upper, or with ``upper=0`` the lower, triangle; zeros elsewhere."""
    (diagonal,) = node.ints("", k) or [0]
    return torch.triu(x, diagonal) if node.get("upper", 1) else torch.tril(x, diagonal)
