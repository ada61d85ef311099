"""How the windows along an axis are cut into blocks, for sums that do not grow with the axis."""

from __future__ import annotations

from dataclasses import dataclass

from passes.words.words import Index, Size, Words

_LONGEST = 24
"""Elements of a block: a product with a triangle of them costs as many multiplications per pixel."""
_SHORTEST = 8


@dataclass(frozen=True)
class Blocks:
    """A window is ``number`` blocks of ``length`` elements and ``rest`` more."""

    length: int
    number: int
    rest: int

    @classmethod
    def by(cls, length: int, window: int) -> Blocks:
        return cls(length, window // length, window % length)


def blocks_of(window: int) -> Blocks:
    """At least two blocks, and no rest where a divisor of about the right length allows; ``window`` is at least 2."""
    longest = min(_LONGEST, window // 2)
    divisors = [length for length in range(min(_SHORTEST, longest), longest + 1) if window % length == 0]
    return Blocks.by(max(divisors, default=longest), window)


def moves_of(w: Words, size: Size, window: int) -> Size:
    """Full windows but the first: max(0, size - window).

    That is size - min(size, window), and seen not to be negative: onnxruntime's symbolic shape inference takes a
    slice for one up to the end where it cannot tell that its end comes before that.
    """
    return w.larger(w.less(size, window), 0)


def with_surplus(w: Words, number: Size, whole: Size) -> Size:
    """``whole``, which is no less than ``number``, written so that this is seen: number + max(0, whole - number).

    See :func:`moves_of` for who reads it.
    """
    return w.more(number, w.larger(w.less(whole, number), 0))


def is_before(w: Words, offsets: Index, length: int) -> Index:
    """[offsets, length]: 1 where element j of a block comes before the offset, else 0."""
    return w.clamped(w.subtract(w.upright(offsets), w.numbers(w.number(length))), 0, 1)
