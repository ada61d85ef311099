"""Parts of a tensor and tensors put together.

x[:, :, a : H - b]            in place with an offset, where a and b do not grow with the image
x[:, :, : H // 2]             half of the map: a map of its own, in the place of its part of the image
cat([top, bottom], H)         the whole map again
cat([x, anything], H)         no map, unless everything behind x is cut off again
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import sympy

from passes.sizes import expression, same, shape_expressions
from passes.window_domain.descent.digits import (
    PIXELS,
    Axes,
    Counts,
    Digits,
    channels,
    steps_of,
    whole,
)
from passes.window_domain.descent.operation import NoRule, Operation, Result, Rule
from passes.window_domain.descent.sampled import Values, is_bounded, is_constant, is_zero


def cut(operation: Operation) -> Axes:
    """A slice; every other element is a coarser map, as of a convolution with that stride."""
    arguments = operation.arguments
    source = arguments["self"]
    axes, before = list(operation.axes(source)), shape_expressions(source)
    dim = arguments["dim"] % len(axes)
    start = arguments["start"]
    low = sympy.Integer(0) if start is None else operation.number(start)
    if any(value < 0 for value in operation.size(low)):
        low = before[dim] + low
    step = arguments["step"]
    axes[dim] = _piece(operation, axes[dim], before[dim], low, operation.shape[dim], step)
    return tuple(axes)


def narrow(operation: Operation) -> Axes:
    arguments = operation.arguments
    source = arguments["self"]
    axes, before = list(operation.axes(source)), shape_expressions(source)
    dim = arguments["dim"] % len(axes)
    low = operation.number(arguments["start"])
    axes[dim] = _piece(operation, axes[dim], before[dim], low, operation.shape[dim])
    return tuple(axes)


def _piece(
    operation: Operation,
    digits: Digits,
    before: sympy.Expr,
    low: sympy.Expr,
    after: sympy.Expr,
    step: int = 1,
) -> Digits:
    """``after`` elements of an axis of ``before``, from ``low`` on."""
    size, image = operation.size(after), operation.image
    if is_zero(before - after, image) and step == 1:
        return digits
    if is_constant(size):
        return operation.ended(digits, size, "cropped") if steps_of(digits) else channels(size)
    if not digits or all(digit.is_free for digit in digits):
        return operation.plain(after)
    if digits[0].counts is Counts.IMAGES and len(digits) == 1:
        return whole(Counts.IMAGES, size)
    digits = _without_what_follows(digits, operation, low, after)
    high = _extent(digits, before) - low - (after - 1) * step - 1
    if len(digits) == 1 and digits[0].is_in_place:
        if is_bounded(low, image) and is_bounded(high, image):
            return whole(digits[0].counts, size, digits[0].part)
        part = _fraction(operation.size(low), operation.size(before), size) if step == 1 else None
        if part is not None:
            first, last = digits[0].part
            length = last - first
            return whole(digits[0].counts, size, (first + part[0] * length, first + part[1] * length))
    return operation.ended(digits, size, "cropped")


def _extent(digits: Digits, before: sympy.Expr) -> sympy.Expr:
    """The extent of the axis a cut is made in, without what was appended to it."""
    extent = digits[0].extent if len(digits) == 1 else None
    return before if extent is None else extent.size


def _without_what_follows(digits: Digits, operation: Operation, low: sympy.Expr, after: sympy.Expr) -> Digits:
    """The map in front of what was appended to it, if the cut leaves no more than a border of the rest."""
    last = digits[0].steps[-1] if len(digits) == 1 and digits[0].steps else None
    if last is None or last.kind != "appended" or last.before is None or last.before.extent is None:
        return digits
    beyond = low + after - last.before.extent.size
    return (
        (last.before,) if is_bounded(beyond, operation.image) and is_bounded(low, operation.image) else digits
    )


def _fraction(low: Values, before: Values, size: Values) -> tuple[Fraction, Fraction] | None:
    parts = {
        (Fraction(a, whole_), Fraction(a + length, whole_))
        for a, whole_, length in zip(low, before, size, strict=True)
    }
    return parts.pop() if len(parts) == 1 else None


def split(operation: Operation) -> Result:
    source = operation.node.args[0]
    axes, before = operation.axes(source), shape_expressions(source)  # type: ignore[arg-type]
    dim = operation.arguments.get("dim", 0) % len(axes)
    low: sympy.Expr = sympy.Integer(0)
    results: list[Axes | None] = []
    for value in operation.node.meta["val"]:
        after = expression(value.shape[dim])
        piece = _piece(operation, axes[dim], before[dim], low, after)
        results.append((*axes[:dim], piece, *axes[dim + 1 :]))
        low = low + after
    return results


def unbind(operation: Operation) -> Result:
    axes = operation.axes(operation.node.args[0])
    dim = operation.arguments["dim"] % len(axes)
    return [(*axes[:dim], *axes[dim + 1 :]) for _ in operation.node.meta["val"]]


def select(operation: Operation) -> Axes:
    axes = operation.axes(operation.node.args[0])
    dim = operation.arguments["dim"] % len(axes)
    return (*axes[:dim], *axes[dim + 1 :])


def join(operation: Operation) -> Axes:
    tensors = list(operation.arguments["tensors"])
    axes = [operation.axes(tensor) for tensor in tensors]
    shapes = [shape_expressions(tensor) for tensor in tensors]
    rank = len(operation.shape)
    dim = operation.arguments.get("dim", 0) % rank
    if any(len(one) != rank for one in axes):
        raise NoRule
    others = operation.combined([(*one[:dim], (), *one[dim + 1 :]) for one in axes])
    joined = _joined(operation, [one[dim] for one in axes], [shape[dim] for shape in shapes], dim)
    return (*others[:dim], joined, *others[dim + 1 :])


def _joined(operation: Operation, pieces: Sequence[Digits], sizes: Sequence[sympy.Expr], dim: int) -> Digits:
    after = operation.shape[dim]
    if all(not piece or all(_is_plain(digit) for digit in piece) for piece in pieces):
        return operation.plain(after)
    size = operation.size(after)
    if all(len(piece) == 1 and piece[0].counts is Counts.IMAGES for piece in pieces):
        return whole(Counts.IMAGES, size)
    tiled = _tiled(pieces, size)
    if tiled:
        return tiled
    growing = [index for index, value in enumerate(sizes) if not is_bounded(value, operation.image)]
    first = pieces[growing[0]] if growing else ()
    if len(first) != 1 or not first[0].is_in_place:
        lost = next((piece for piece in pieces if steps_of(piece)), ())
        return operation.ended(lost, size, "joined")
    if len(growing) == 1:
        return whole(first[0].counts, size, first[0].part)
    if growing[0] == 0 and first[0].extent is not None:
        step = operation.step("appended", "joined with other pixels", first[0])
        return (replace(first[0].after(step), size=size, total=size),)
    return operation.ended((), size, "joined with other pixels")


def _is_plain(digit: Any) -> bool:
    return digit.counts is Counts.CHANNELS or digit.is_free


def _tiled(pieces: Sequence[Digits], size: Values) -> Digits:
    """Parts of the image next to each other, in order."""
    if not all(len(piece) == 1 and piece[0].is_in_place for piece in pieces):
        return ()
    parts = [piece[0] for piece in pieces]
    if any(a.counts is not b.counts or a.part[1] != b.part[0] for a, b in pairwise(parts)):
        return ()
    if len({part.counts for part in parts} - set(PIXELS)):
        return ()
    shares = {Fraction(part.size[0], size[0]) / (part.part[1] - part.part[0]) for part in parts}
    if len(shares) > 1:
        return ()
    return whole(parts[0].counts, size, (parts[0].part[0], parts[-1].part[1]))


def stack(operation: Operation) -> Axes:
    tensors = list(operation.arguments["tensors"])
    rank = len(operation.shape)
    dim = operation.arguments["dim"] % rank
    shape = [size for index, size in enumerate(operation.shape) if index != dim]
    others = operation.combined([operation.axes(tensor) for tensor in tensors], shape)
    return (*others[:dim], operation.plain(operation.shape[dim]), *others[dim:])


def put(operation: Operation) -> Axes:
    """A slice of channels overwritten, or a map put into a larger canvas."""
    arguments = operation.arguments
    target, source = arguments["self"], arguments["src"]
    axes, pieces = operation.axes(target), operation.axes(source)
    dim = arguments["dim"] % len(axes)
    others = operation.combined(
        [(*axes[:dim], (), *axes[dim + 1 :]), (*pieces[:dim], (), *pieces[dim + 1 :])]
    )
    return (*others[:dim], _overwritten(operation, axes[dim], pieces[dim], dim), *others[dim + 1 :])


def _overwritten(operation: Operation, digits: Digits, piece: Digits, dim: int) -> Digits:
    arguments, after = operation.arguments, operation.shape[dim]
    length = shape_expressions(arguments["src"])[dim]
    if same(length, after):
        return piece or operation.plain(after)
    if all(_is_plain(digit) for digit in (*digits, *piece)) and not operation.image.is_spatial(length):
        return digits or operation.plain(after)
    if is_bounded(length, operation.image) and not steps_of(digits):
        return digits
    start = arguments["start"]
    low = sympy.Integer(0) if start is None else operation.number(start)
    low = after + low if low.is_negative else low
    is_border = is_bounded(low, operation.image) and is_bounded(after - low - length, operation.image)
    is_map = len(piece) == 1 and piece[0].is_in_place
    if is_border and is_map and all(_is_plain(digit) for digit in digits):
        return whole(piece[0].counts, operation.size(after), piece[0].part)
    return operation.ended(piece if steps_of(piece) else digits, operation.size(after), "overwritten in part")


def put_one(operation: Operation) -> Axes:
    arguments = operation.arguments
    axes, pieces = operation.axes(arguments["self"]), operation.axes(arguments["src"])
    dim = arguments["dim"] % len(axes)
    return operation.combined([axes, (*pieces[:dim], (), *pieces[dim:])])


RULES: dict[str, Rule] = {
    "slice": cut,
    "narrow": narrow,
    "split": split,
    "split_with_sizes": split,
    "chunk": split,
    "tensor_split": split,
    "unsafe_split": split,
    "unsafe_chunk": split,
    "unbind": unbind,
    "select": select,
    "cat": join,
    "concat": join,
    "stack": stack,
    "slice_scatter": put,
    "select_scatter": put_one,
}
