"""Sizes as the values they take at a few images, so that products and quotients of them are plain numbers.

A view into windows of 8 has extents such as ``(H + Mod(-H, 8)) // 8``, whose product with 8 no algebra turns back
into the padded height. At sizes that are multiples of every common window all spellings have one value.
"""

from __future__ import annotations

import functools

import sympy

from passes.sizes import ImageSize

Values = tuple[int, ...]
"""One size in elements, at each sampled image."""

_DIVISIBLE = 2**8 * 3**2 * 5 * 7 * 11 * 13
"""Every axis of a sampled image is a multiple of it, so that maps divide into windows and levels."""
_FACTORS = ((1, 2, 3, 17), (3, 1, 5, 19), (5, 8, 7, 23), (31, 13, 2, 29))
"""Height, width, any other symbol, and batch, which is not multiplied."""
_ODD = ((10_007, 23_029), (1_000_003, 70_001), (90_000_049, 10_000_019))
_FAR = 4096
"""Pixels; an offset that stays below it at images of millions of pixels a side does not grow with the image."""

ONE: Values = (1,) * len(_FACTORS)


@functools.cache
def sampled(size: sympy.Expr, image: ImageSize) -> Values:
    """``size`` at every sampled image."""
    return tuple(
        _value(size, image, _DIVISIBLE * height, _DIVISIBLE * width, _DIVISIBLE * other, batch)
        for height, width, other, batch in _FACTORS
    )


@functools.cache
def is_zero(size: sympy.Expr, image: ImageSize) -> bool:
    """Whether ``size`` is 0 at every image, odd ones included."""
    odd = (_value(size, image, *pair, pair[0], 3) for pair in _ODD)
    return not any(sampled(size, image)) and not any(odd)


@functools.cache
def is_bounded(size: sympy.Expr, image: ImageSize) -> bool:
    """Whether ``size``, an offset or a border, stays small however large the image is."""
    return all(
        abs(_value(size, image, height, width, height, 3)) < _FAR
        for pair in _ODD
        for height, width in (pair, pair[::-1])
    )


def is_multiple_of(shift: sympy.Expr, size: sympy.Expr, image: ImageSize) -> bool:
    """Whether a shift by ``shift`` around an axis of ``size`` elements moves nothing, at odd and even sizes."""
    return all(
        _value(shift, image, height, width, height, 3) % _value(size, image, height, width, height, 3) == 0
        for height, width in (*_ODD, *((2 * a, 2 * b) for a, b in _ODD))
    )


def _value(size: sympy.Expr, image: ImageSize, height: int, width: int, other: int, batch: int) -> int:
    values = {}
    for symbol in size.free_symbols:
        if symbol in image.height.free_symbols:
            values[symbol] = height
        elif symbol in image.width.free_symbols:
            values[symbol] = width
        else:
            values[symbol] = batch if symbol in image.batch else other
    return int(size.subs(values)) if values else int(size)


def times(a: Values, b: Values) -> Values:
    return tuple(x * y for x, y in zip(a, b, strict=True))


def quotient(a: Values, b: Values) -> Values | None:
    """``a / b`` where that is whole at every image."""
    if any(y == 0 or x % y for x, y in zip(a, b, strict=True)):
        return None
    return tuple(x // y for x, y in zip(a, b, strict=True))


def is_constant(size: Values) -> bool:
    return len(set(size)) == 1
