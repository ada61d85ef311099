"""The extents of an output that is an image, as functions of the image's own.

Along one axis of n pixels a network returns, at every size it accepts,

    floor(a * n + b)        a rational, positive where the output grows with the image

with a = 1 and b = 0 where it restores, a = 4 where it enlarges four times, a = 2 and b = -28 where it enlarges twice
what convolutions without padding left of 14 pixels, a = b = 1/2 (that is ceil(n / 2)) behind a stride of two.
A network that works on whole blocks and drops the rest returns step * floor(a * n + b) + shift.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

_LARGEST_DENOMINATOR = 10_000
"""A factor typed with four decimals is a fraction of this."""


@dataclass(frozen=True)
class Extent:
    """``step * floor((times * n + plus) / over) + shift`` pixels of an output for ``n`` pixels of the image."""

    times: int
    plus: int = 0
    over: int = 1
    step: int = 1
    shift: int = 0

    def __call__(self, pixels: int) -> int:
        return self.step * ((self.times * pixels + self.plus) // self.over) + self.shift

    @property
    def scale(self) -> int | None:
        """s where the extent is s * n at every n, else None."""
        is_product = self.over == self.step == 1 and self.plus == self.shift == 0
        return self.times if is_product else None

    def formula(self, axis: str) -> str:
        """The extent in words and signs, e.g. ``"floor(3 * height / 2)"``, with ``axis`` for n."""
        inner = axis if self.times == 1 else f"{self.times} * {axis}"
        inner += _signed(self.plus)
        if self.over != 1:
            inner = f"({inner})" if self.plus else inner
            inner = f"floor({inner} / {self.over})"
        if self.step != 1:
            inner = f"{self.step} * {inner}"
        return inner + _signed(self.shift)

    def facts(self) -> dict[str, int]:
        """The numbers of the formula by name, those of blocks only where there are any."""
        facts = {"times": self.times, "plus": self.plus, "over": self.over}
        return facts if self.step == 1 else facts | {"step": self.step, "shift": self.shift}


@dataclass(frozen=True)
class Extents:
    """Height and width of an output, each as a function of the same axis of the image."""

    height: Extent
    width: Extent

    @property
    def scale(self) -> int | None:
        """s where the output is s times the image along both axes at every size, else None."""
        return self.height.scale if self.height.scale == self.width.scale else None

    def facts(self) -> dict[str, dict[str, int]]:
        """The numbers of both formulas, by axis."""
        return {"height": self.height.facts(), "width": self.width.facts()}

    def at(self, height: int, width: int) -> tuple[int, int]:
        """The output's (height, width) for an image of that many pixels; at most 0 where nothing is left."""
        return self.height(height), self.width(width)


def stated(facts: str) -> tuple[Extents | None, ...]:
    """What a file's ``output_extents`` say of each output; None for what is no image."""
    return tuple(
        None if output is None else Extents(Extent(**output["height"]), Extent(**output["width"]))
        for output in json.loads(facts)
    )


def fitted(lengths: Mapping[int, int], largest_denominator: int = _LARGEST_DENOMINATOR) -> Extent | None:
    """The simplest extent that gives every one of ``lengths``, by pixels of the image; None if none does.

    A formula without blocks is preferred to one with blocks, then a factor with a small denominator, then the
    smallest constant: of the formulas that agree at multiples of 8 that is the one which, at other sizes, counts the
    pixels of the output which lie in the image.

    Args:
        lengths: at least two. The farther apart they are, the fewer factors they leave; which constant it is shows
            only at sizes of every remainder.
    """
    plain = _without_blocks(lengths, largest_denominator)
    if plain is not None:
        return plain
    first = min(lengths.values())
    step = math.gcd(*(length - first for length in lengths.values()))
    if step < 2:
        return None
    shift = first % step
    blocks = {pixels: (length - shift) // step for pixels, length in lengths.items()}
    counted = _without_blocks(blocks, largest_denominator)
    if counted is None:
        return None
    return Extent(counted.times, counted.plus, counted.over, step, shift)


def _without_blocks(lengths: Mapping[int, int], largest_denominator: int) -> Extent | None:
    (few, least), (many, most) = min(lengths.items()), max(lengths.items())
    low, high = (Fraction(most - least + error, many - few) for error in (-1, 1))
    for over in range(1, largest_denominator + 1):
        for times in range(max(0, math.floor(low * over) + 1), math.ceil(high * over)):
            remainders = [over * length - times * pixels for pixels, length in lengths.items()]
            # floor((times * n + plus) / over) = length where 0 <= plus - remainder < over.
            if max(remainders) - min(remainders) < over:
                return Extent(times, max(remainders), over)
    return None


def _signed(number: int) -> str:
    if number == 0:
        return ""
    return f" {'+' if number > 0 else '-'} {abs(number)}"
