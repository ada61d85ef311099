"""Changes of the order of pixels: a step on every digit of the axis, which the inverse takes off again.

flip .. flip,  roll by s .. roll by -s,  fft .. ifft,  rfft .. irfft      in place again
sort, running sums                                                lost for good
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy

from passes.sizes import shape_expressions
from passes.window_domain.descent.digits import Axes, Counts, Digit, Digits, channels, unknown
from passes.window_domain.descent.operation import NoRule, Operation, Result, Rule
from passes.window_domain.descent.sampled import Values, is_constant, is_multiple_of


def has_order(digits: Digits) -> bool:
    """Whether there is an order along the axis that matters."""
    return any(digit.counts not in (Counts.CHANNELS, Counts.IMAGES) and not digit.is_free for digit in digits)


def flip(operation: Operation) -> Axes:
    axes = list(operation.axes(operation.node.args[0]))
    for dim in operation.arguments["dims"]:
        axis = dim % len(axes)
        if has_order(axes[axis]):
            axes[axis] = tuple(_flipped(operation, digit) for digit in axes[axis])
    return tuple(axes)


def _flipped(operation: Operation, digit: Digit) -> Digit:
    return _undone(digit, "flip") or digit.after(operation.step("flip", "flipped", digit, "", digit.size))


def _undone(digit: Digit, kind: str) -> Digit | None:
    """``digit`` before its last step, if that is of ``kind`` and all it left is still there."""
    last = digit.steps[-1] if digit.steps else None
    if last is None or last.kind != kind or last.before is None or digit.size != last.size:
        return None
    is_all = digit.counts is Counts.UNKNOWN or digit.stride == last.before.stride
    return last.before if is_all else None


def roll(operation: Operation) -> Axes:
    arguments = operation.arguments
    source = operation.node.args[0]
    axes, shape = list(operation.axes(source)), shape_expressions(source)  # type: ignore[arg-type]
    if not arguments["dims"]:
        raise NoRule
    for shift, dim in zip(arguments["shifts"], arguments["dims"], strict=True):
        axis = dim % len(axes)
        if has_order(axes[axis]):
            axes[axis] = _rolled(operation, axes[axis], operation.number(shift), shape[axis])
    return tuple(axes)


def _rolled(operation: Operation, digits: Digits, shift: sympy.Expr, size: sympy.Expr) -> Digits:
    if len(digits) > 1:
        return operation.ended(digits, operation.size(size), "rolled")
    last = digits[0].steps[-1] if digits[0].steps else None
    if last is not None and last.kind == "roll" and is_multiple_of(shift + last.key, size, operation.image):
        before = _undone(digits[0], "roll")
        if before is not None:
            return (before,)
    step = operation.step("roll", "rolled", digits[0], shift, digits[0].size)
    return (digits[0].after(step),)


def _transformed(operation: Operation, dims: Iterable[int], kinds: dict[int, tuple[str, str]]) -> Axes:
    """``kinds`` names the step at each dim and the one it takes off."""
    source = operation.node.args[0]
    axes = list(operation.axes(source))
    sizes = operation.sizes
    for dim in dims:
        axis = dim % len(axes)
        kind, inverse = kinds[axis]
        axes[axis] = _spectrum(operation, axes[axis], sizes[axis], kind, inverse)
    return tuple(axes)


def _spectrum(operation: Operation, digits: Digits, size: Values, kind: str, inverse: str) -> Digits:
    if not has_order(digits):
        return channels(size) if is_constant(size) else unknown(size, (_spectral(operation, kind),))
    if len(digits) > 1:
        return operation.ended(digits, size, "turned into frequencies")
    before = _undone(digits[0], inverse)
    if before is not None and before.size == size:
        return (before,)
    step = _spectral(operation, kind, digits[0], size)
    return unknown(size, (*digits[0].steps, step))


def _spectral(operation: Operation, kind: str, before: Digit | None = None, size: Values = ()) -> Any:
    return operation.step(kind, "turned into frequencies", before, "", size)


_INVERSES = {"fft": "ifft", "ifft": "fft", "rfft": "irfft", "irfft": "rfft", "hfft": "ihfft", "ihfft": "hfft"}
_ON_OTHER_AXES = {
    "fft": "fft",
    "ifft": "ifft",
    "rfft": "fft",
    "irfft": "ifft",
    "hfft": "fft",
    "ihfft": "ifft",
}


def _fourier(name: str) -> Rule:
    """``rfft2`` is ``rfft`` on its last dim and ``fft`` on the others, ``irfft2`` their inverses."""

    def rule(operation: Operation) -> Result:
        arguments = operation.arguments
        rank = len(operation.shape)
        dims = arguments.get("dim")
        if isinstance(dims, int):
            dims = [dims]
        elif dims is None:
            count = len(arguments["s"]) if arguments.get("s") is not None else rank
            dims = list(range(rank - count, rank))
        return _with_last(operation, [dim % rank for dim in dims], name)

    return rule


def _with_last(operation: Operation, dims: list[int], name: str) -> Axes:
    other = _ON_OTHER_AXES[name]
    kinds = dict.fromkeys(dims, (other, _INVERSES[other]))
    kinds[dims[-1]] = (name, _INVERSES[name])
    return _transformed(operation, dims, kinds)


def complex_to_complex(operation: Operation) -> Axes:
    rank = len(operation.shape)
    name = "fft" if operation.arguments["forward"] else "ifft"
    return _with_last(operation, [dim % rank for dim in operation.arguments["dim"]], name)


def real_to_complex(operation: Operation) -> Axes:
    rank = len(operation.shape)
    name = "rfft" if operation.arguments["onesided"] else "fft"
    return _with_last(operation, [dim % rank for dim in operation.arguments["dim"]], name)


def complex_to_real(operation: Operation) -> Axes:
    rank = len(operation.shape)
    return _with_last(operation, [dim % rank for dim in operation.arguments["dim"]], "irfft")


def along_axis(verb: str, argument: str = "dim") -> Rule:
    """An operation after which the elements along one axis are no longer at their places."""

    def rule(operation: Operation) -> Result:
        axes = list(operation.axes(operation.node.args[0]))
        values = operation.node.meta["val"]
        if not axes:
            return ()
        dim = operation.arguments[argument] % len(axes)
        first = values if not isinstance(values, (tuple, list)) else values[0]
        size = operation.size(operation.number(first.shape[dim]))
        if has_order(axes[dim]):
            axes[dim] = operation.ended(axes[dim], size, verb)
        else:
            axes[dim] = channels(size) if is_constant(size) else axes[dim]
        result = tuple(axes)
        return [result for _ in values] if isinstance(values, (tuple, list)) else result

    return rule


RULES: dict[str, Rule] = {
    "flip": flip,
    "roll": roll,
    **{f"fft_{name}{dims}": _fourier(name) for name in _INVERSES for dims in ("", "2", "n")},
    "_fft_c2c": complex_to_complex,
    "_fft_r2c": real_to_complex,
    "_fft_c2r": complex_to_real,
    **dict.fromkeys(("sort", "argsort", "topk", "msort"), along_axis("sorted")),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"), along_axis("accumulated")),
}
