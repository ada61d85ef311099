"""How the windows along an axis are cut into blocks, for sums that do not grow with the axis."""

from __future__ import annotations

from dataclasses import dataclass

from passes.words.words import Index, Words

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


def is_before(w: Words, offsets: Index, length: int) -> Index:
    """[offsets, length]: 1 where element j of a block comes before the offset, else 0."""
    return w.clamped(w.subtract(w.upright(offsets), w.numbers(w.number(length))), 0, 1)
