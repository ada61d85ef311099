"""Views regroup digits, permutations carry them along, and copies along an axis of one element are free there."""

from __future__ import annotations

import sympy

from passes.axis_order import axis_order
from passes.sizes import shape_expressions
from passes.window_domain.descent.digits import Axes, Counts, Digits, channels, regrouped
from passes.window_domain.descent.operation import NoRule, Operation, Rule
from passes.window_domain.descent.sampled import ONE, is_constant


def regroup(operation: Operation) -> Axes:
    step = operation.step("lost", "regrouped across axes")
    return regrouped(operation.axes(operation.node.args[0]), operation.sizes, step)


def permute(operation: Operation) -> Axes:
    axes, order = operation.axes(operation.node.args[0]), axis_order(operation.node)
    if order is None:
        raise NoRule
    return tuple(axes[index] for index in order)


def move_dims(operation: Operation) -> Axes:
    axes = operation.axes(operation.arguments["self"])
    rank = len(axes)
    source = _listed(operation.arguments["source"], rank)
    target = _listed(operation.arguments["destination"], rank)
    others = iter([index for index in range(rank) if index not in source])
    moved = dict(zip(target, source, strict=True))
    return tuple(axes[moved[index] if index in moved else next(others)] for index in range(rank))


def _listed(dims: int | list[int], rank: int) -> list[int]:
    return [dim % rank for dim in ([dims] if isinstance(dims, int) else dims)]


def squeeze(operation: Operation) -> Axes:
    """One-element axes have no digits, so any view that only adds or removes them is found by its sizes."""
    broad = [digits for digits in operation.axes(operation.node.args[0]) if digits]
    if len(broad) != sum(size != ONE for size in operation.sizes):
        raise NoRule
    return tuple(() if size == ONE else broad.pop(0) for size in operation.sizes)


def expand(operation: Operation) -> Axes:
    axes = operation.axes(operation.node.args[0])
    shape = operation.shape
    padded = ((),) * (len(shape) - len(axes)) + axes
    return tuple(digits or operation.plain(size) for digits, size in zip(padded, shape, strict=True))


def repeat(operation: Operation) -> Axes:
    """A copy beside a copy: element i of [r, n] is element i % n."""
    source = operation.node.args[0]
    axes, before, after = operation.axes(source), _shape(source), operation.shape
    missing = len(after) - len(axes)
    padded, old = ((),) * missing + axes, (sympy.Integer(1),) * missing + before
    return tuple(_repeated(operation, digits, a, b) for digits, a, b in zip(padded, old, after, strict=True))


def _shape(node: object) -> tuple[sympy.Expr, ...]:
    return shape_expressions(node)  # type: ignore[arg-type]


def _repeated(operation: Operation, digits: Digits, before: sympy.Expr, after: sympy.Expr) -> Digits:
    if not digits:
        return operation.plain(after)
    old, new = operation.size(before), operation.size(after)
    if old == new:
        return digits
    if all(digit.counts is Counts.CHANNELS for digit in digits) and is_constant(new):
        return channels(new)
    if all(digit.is_free for digit in digits):
        return operation.plain(after)
    return operation.ended(digits, new, "repeated")


def repeat_interleave(operation: Operation) -> Axes:
    """Element i of [n, r] is element i // r: each pixel becomes a block."""
    arguments = operation.arguments
    source, dim = arguments["self"], arguments["dim"]
    if dim is None or not isinstance(arguments["repeats"], int):
        raise NoRule
    axes = list(operation.axes(source))
    block = channels(operation.size(sympy.Integer(arguments["repeats"])))
    axes[dim % len(axes)] = (*axes[dim % len(axes)], *block)
    return regrouped(tuple(axes), operation.sizes, operation.step("lost", "repeated"))


def with_pairs(operation: Operation) -> Axes:
    """Real and imaginary parts on an axis of two behind the others."""
    return (*operation.axes(operation.node.args[0]), channels(operation.sizes[-1]))


def without_pairs(operation: Operation) -> Axes:
    return operation.axes(operation.node.args[0])[:-1]


RULES: dict[str, Rule] = {
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "flatten", "unflatten", "ravel", "view_as"), regroup),
    **dict.fromkeys(("permute", "transpose", "t", "numpy_T", "mT"), permute),
    **dict.fromkeys(("squeeze", "unsqueeze"), squeeze),
    **dict.fromkeys(("movedim", "moveaxis"), move_dims),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), expand),
    **dict.fromkeys(("repeat", "tile"), repeat),
    "repeat_interleave": repeat_interleave,
    "view_as_real": with_pairs,
    "view_as_complex": without_pairs,
}
