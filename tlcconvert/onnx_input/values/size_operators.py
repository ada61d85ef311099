"""Operators on sizes alone: what shapes are computed with, on whole numbers, symbols and exact quotients."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import torch

from tlcconvert.onnx_input.values.dtypes import DTYPES
from tlcconvert.onnx_input.values.node import Node
from tlcconvert.onnx_input.values.quotient import NotExact, Quotient, quotient_of
from tlcconvert.onnx_input.values.sizes import Sizes, array_of

Function = Callable[..., Any]
_functions: dict[str, Function] = {}


class Unknown(Exception):
    """Sizes cannot be kept exact here; the node computes them as data."""


def on_sizes(node: Node, inputs: list[Sizes | None]) -> Sizes | tuple[Sizes, ...]:
    """What ``node`` makes of sizes.

    Raises:
        Unknown: its operator does something to them that whole numbers and quotients do not have.
    """
    function = _functions.get(node.kind)
    if function is None:
        raise Unknown
    try:
        return function(node, *inputs)
    except NotExact as error:
        raise Unknown from error


def _on_sizes(*kinds: str) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        for kind in kinds:
            _functions[kind] = function
        return function

    return register


def _each(function: Callable[..., Any], dtype: torch.dtype, *operands: Sizes) -> Sizes:
    """``function`` of elements, broadcast."""
    arrays = np.broadcast_arrays(*(operand.array for operand in operands))
    rows = zip(*(array.reshape(-1) for array in arrays), strict=True)
    return Sizes(array_of([function(*row) for row in rows], arrays[0].shape), dtype)


def _register_arithmetic(
    kind: str, whole: Callable[[Any, Any], Any], exact: Callable[[Quotient, Quotient], Quotient]
) -> None:
    @_on_sizes(kind)
    def _arithmetic(node: Node, a: Sizes, b: Sizes) -> Sizes:
        if not a.dtype.is_floating_point:
            return _each(whole, a.dtype, a, b)
        return _each(lambda x, y: exact(quotient_of(x), quotient_of(y)), a.dtype, a, b)


def _truncated_quotient(a: Any, b: Any) -> Any:
    if isinstance(b, int) and b == 0:
        raise ValueError("a size is divided by 0")
    return (Quotient(a) / Quotient(b)).truncated


_register_arithmetic("Add", lambda a, b: a + b, lambda a, b: a + b)
_register_arithmetic("Sub", lambda a, b: a - b, lambda a, b: a - b)
_register_arithmetic("Mul", lambda a, b: a * b, lambda a, b: a * b)
_register_arithmetic("Div", _truncated_quotient, lambda a, b: a / b)


@_on_sizes("Mod")
def mod(node: Node, a: Sizes, b: Sizes) -> Sizes:
    """The remainder, with the sign of ``b``; with ``fmod=1`` with that of ``a``."""
    if a.dtype.is_floating_point:
        raise Unknown
    if node.get("fmod", 0):
        return _each(lambda x, y: x - y * _truncated_quotient(x, y), a.dtype, a, b)
    return _each(lambda x, y: x % y, a.dtype, a, b)


@_on_sizes("Neg")
def negative(node: Node, a: Sizes) -> Sizes:
    return _each(lambda x: -x, a.dtype, a)


def _register_rounding(kind: str, rounded: Callable[[Quotient], Any]) -> None:
    @_on_sizes(kind)
    def _rounding(node: Node, a: Sizes) -> Sizes:
        return _each(lambda x: quotient_of(rounded(quotient_of(x))), a.dtype, a)


_register_rounding("Floor", lambda x: x.floor)
_register_rounding("Ceil", lambda x: x.ceiling)
_register_rounding("Round", lambda x: x.rounded)

_WHOLE = (torch.int64, torch.int32)


def cast_to(a: Sizes, dtype: torch.dtype) -> Sizes:
    """``a`` in another type.

    Raises:
        Unknown: one in which sizes are not kept.
    """
    if dtype in _WHOLE:
        if a.dtype.is_floating_point:
            return _each(lambda x: quotient_of(x).truncated, dtype, a)
        return _each(lambda x: torch.sym_ite(x, 1, 0) if isinstance(x, torch.SymBool) else x + 0, dtype, a)
    if dtype in (torch.float32, torch.float64):
        if a.dtype == torch.bool:
            raise Unknown
        return _each(quotient_of, dtype, a)
    if dtype == torch.bool:
        return _each(lambda x: quotient_of(x).numerator != 0, dtype, a)
    raise Unknown


@_on_sizes("Cast")
def cast(node: Node, a: Sizes) -> Sizes:
    return cast_to(a, DTYPES[node.get("to")])


@_on_sizes("CastLike")
def cast_like(node: Node, a: Sizes, like: Sizes) -> Sizes:
    return cast_to(a, like.dtype)


def _register_comparison(kind: str, compare: Callable[[Quotient, Quotient], Any]) -> None:
    @_on_sizes(kind)
    def _comparison(node: Node, a: Sizes, b: Sizes) -> Sizes:
        if a.dtype == torch.bool:
            raise Unknown
        return _each(lambda x, y: compare(quotient_of(x), quotient_of(y)), torch.bool, a, b)


def _negated(value: Any) -> Any:
    return torch.sym_not(value)


_register_comparison("Equal", lambda a, b: a.equals(b))
_register_comparison("Less", lambda a, b: a < b)
_register_comparison("Greater", lambda a, b: b < a)
_register_comparison("LessOrEqual", lambda a, b: _negated(b < a))
_register_comparison("GreaterOrEqual", lambda a, b: _negated(a < b))


@_on_sizes("Not")
def not_(node: Node, a: Sizes) -> Sizes:
    return _each(_negated, torch.bool, a)


@_on_sizes("And")
def both(node: Node, a: Sizes, b: Sizes) -> Sizes:
    return _each(lambda x, y: x & y, torch.bool, a, b)


@_on_sizes("Or")
def either(node: Node, a: Sizes, b: Sizes) -> Sizes:
    return _each(lambda x, y: x | y, torch.bool, a, b)


@_on_sizes("Where")
def where(node: Node, condition: Sizes, a: Sizes, b: Sizes) -> Sizes:
    """A condition on symbols is decided, which an export records as a guard."""
    return _each(lambda chosen, x, y: x if bool(chosen) else y, a.dtype, condition, a, b)


def _register_extreme(kind: str, choose: Callable[[Any, Any], Any]) -> None:
    @_on_sizes(kind)
    def _extreme(node: Node, *inputs: Sizes) -> Sizes:
        if inputs[0].dtype.is_floating_point or inputs[0].dtype == torch.bool:
            raise Unknown
        return reduce(lambda a, b: _each(choose, a.dtype, a, b), inputs)


_register_extreme("Max", torch.sym_max)
_register_extreme("Min", torch.sym_min)


@_on_sizes("Abs")
def absolute(node: Node, a: Sizes) -> Sizes:
    if a.dtype.is_floating_point:
        raise Unknown
    return _each(lambda x: torch.sym_max(x, -x), a.dtype, a)


def _register_fold(kind: str, fold: Callable[[Any, Any], Any]) -> None:
    @_on_sizes(kind)
    def _folded(node: Node, a: Sizes, axes: Sizes | None = None) -> Sizes:
        along = node.ints("axes", axes)
        if a.dtype.is_floating_point or along not in (None, [0], [-1]) or a.array.ndim != 1:
            raise Unknown
        result = reduce(fold, a.items)
        return Sizes(array_of([result], (1,) if node.get("keepdims", 1) else ()), a.dtype)


_register_fold("ReduceProd", lambda a, b: a * b)
_register_fold("ReduceSum", lambda a, b: a + b)
_register_fold("ReduceMax", torch.sym_max)
_register_fold("ReduceMin", torch.sym_min)


@_on_sizes("Identity")
def identity(node: Node, a: Sizes) -> Sizes:
    return a


@_on_sizes("Shape")
def shape(node: Node, a: Sizes) -> Sizes:
    extents = list(a.array.shape)[node.get("start", 0) : node.get("end")]
    return Sizes(array_of(extents, (len(extents),)))


@_on_sizes("Size")
def size(node: Node, a: Sizes) -> Sizes:
    return Sizes(array_of([a.array.size], ()))


def _arranged(a: Sizes, array: Any) -> Sizes:
    """``array``, which NumPy hands out bare where it has no axis."""
    return Sizes(array if isinstance(array, np.ndarray) else array_of([array], ()), a.dtype)


@_on_sizes("Gather")
def gather(node: Node, a: Sizes, places: Sizes) -> Sizes:
    index = np.array(places.items, dtype=np.int64).reshape(places.array.shape)
    return _arranged(a, np.take(a.array, index, axis=node.get("axis", 0)))


@_on_sizes("Slice")
def slice_(
    node: Node,
    a: Sizes,
    starts: Sizes | None = None,
    ends: Sizes | None = None,
    axes: Sizes | None = None,
    steps: Sizes | None = None,
) -> Sizes:
    first, last = node.ints("starts", starts) or [], node.ints("ends", ends) or []
    along = node.ints("axes", axes) or list(range(len(first)))
    every = node.ints("steps", steps) or [1] * len(first)
    index = [slice(None)] * a.array.ndim
    for start, end, axis, step in zip(first, last, along, every, strict=True):
        extent = a.array.shape[axis]
        # Counted back past the first element, an end is before it, not at the last one.
        index[axis] = slice(start, None if step < 0 and end < -extent else end, step)
    return _arranged(a, a.array[tuple(index)])


@_on_sizes("Concat")
def concat(node: Node, *inputs: Sizes) -> Sizes:
    return _arranged(inputs[0], np.concatenate([own.array for own in inputs], axis=node.get("axis", 0)))


@_on_sizes("Reshape")
def reshape(node: Node, a: Sizes, wanted: Sizes | None = None) -> Sizes:
    extents = node.ints("shape", wanted) or []
    extents = [a.array.shape[axis] if extent == 0 else extent for axis, extent in enumerate(extents)]
    return _arranged(a, a.array.reshape(extents))


@_on_sizes("Flatten")
def flatten(node: Node, a: Sizes) -> Sizes:
    rows = int(np.prod(a.array.shape[: node.get("axis", 1)]))
    return _arranged(a, a.array.reshape(rows, -1))


@_on_sizes("Squeeze")
def squeeze(node: Node, a: Sizes, axes: Sizes | None = None) -> Sizes:
    along = node.ints("axes", axes)
    return _arranged(a, np.squeeze(a.array, axis=None if along is None else tuple(along)))


@_on_sizes("Unsqueeze")
def unsqueeze(node: Node, a: Sizes, axes: Sizes | None = None) -> Sizes:
    return _arranged(a, np.expand_dims(a.array, tuple(node.ints("axes", axes) or [])))


@_on_sizes("Transpose")
def transpose(node: Node, a: Sizes) -> Sizes:
    return _arranged(a, np.transpose(a.array, node.get("perm")))


@_on_sizes("Tile")
def tile(node: Node, a: Sizes, repeats: Sizes) -> Sizes:
    times = repeats.ints
    if not all(isinstance(time, int) for time in times) or a.array.size * int(np.prod(times)) > 4096:
        raise Unknown
    return _arranged(a, np.tile(a.array, times))


@_on_sizes("Expand")
def expand(node: Node, a: Sizes, extents: Sizes) -> Sizes:
    wanted = extents.ints
    if not all(isinstance(extent, int) for extent in wanted) or int(np.prod(wanted)) > 4096:
        raise Unknown
    return _arranged(a, np.broadcast_to(a.array, np.broadcast_shapes(a.array.shape, tuple(wanted))))


@_on_sizes("Split")
def split(node: Node, a: Sizes, parts: Sizes | None = None) -> tuple[Sizes, ...]:
    extents = node.ints("split", parts)
    axis, count = node.get("axis", 0), len(node.outputs)
    if extents is None and a.array.shape[axis] % count:
        raise Unknown
    if extents is None:
        return tuple(_arranged(a, part) for part in np.array_split(a.array, count, axis=axis))
    ends = np.cumsum(extents)[:-1]
    return tuple(_arranged(a, part) for part in np.split(a.array, ends, axis=axis))


@_on_sizes("ConstantOfShape")
def constant_of_shape(node: Node, extents: Sizes) -> Sizes:
    """A few numbers, as in the pads of a legacy export; more of them are data."""
    wanted, value = extents.ints, node.get("value")
    dtype = torch.float32 if value is None else value.dtype
    if len(wanted) != 1 or not isinstance(wanted[0], int) or wanted[0] > 64 or dtype.is_floating_point:
        raise Unknown
    return Sizes(array_of(value.items * wanted[0], (wanted[0],)), dtype)


@_on_sizes("Range")
def range_(node: Node, start: Sizes, limit: Sizes, delta: Sizes) -> Sizes:
    """A few numbers; more of them are data."""
    bounds = [*start.items, *limit.items, *delta.items]
    if not all(isinstance(bound, int) for bound in bounds) or bounds[2] == 0:
        raise Unknown
    numbers = range(*bounds)
    if len(numbers) > 64:
        raise Unknown
    return Sizes(array_of(list(numbers), (len(numbers),)), start.dtype)
