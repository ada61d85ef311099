"""A quotient of sizes, kept exact: ONNX computes scales of sizes in floating point, which no symbol survives."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import torch

Whole = int | torch.SymInt
_LARGEST_DENOMINATOR = 1 << 12


class NotExact(ValueError):
    """A number that is no quotient."""


@dataclass(frozen=True)
class Quotient:
    """``numerator / denominator`` of whole numbers; the denominator is positive."""

    numerator: Whole
    denominator: Whole = 1

    def __add__(self, other: Quotient) -> Quotient:
        if self.denominator is other.denominator or (_are_numbers(self, other) and _same(self, other)):
            return _reduced(self.numerator + other.numerator, self.denominator)
        return _reduced(
            self.numerator * other.denominator + other.numerator * self.denominator,
            self.denominator * other.denominator,
        )

    def __neg__(self) -> Quotient:
        return Quotient(-self.numerator, self.denominator)

    def __sub__(self, other: Quotient) -> Quotient:
        return self + -other

    def __mul__(self, other: Quotient) -> Quotient:
        return _reduced(self.numerator * other.numerator, self.denominator * other.denominator)

    def __truediv__(self, other: Quotient) -> Quotient:
        if other.numerator < 0:
            return self * Quotient(-other.denominator, -other.numerator)
        return self * Quotient(other.denominator, other.numerator)

    def __lt__(self, other: Quotient) -> bool | torch.SymBool:
        return self.numerator * other.denominator < other.numerator * self.denominator

    def equals(self, other: Quotient) -> bool | torch.SymBool:
        return self.numerator * other.denominator == other.numerator * self.denominator

    @property
    def floor(self) -> Whole:
        return self.numerator if _is_one(self.denominator) else self.numerator // self.denominator

    @property
    def ceiling(self) -> Whole:
        return self.numerator if _is_one(self.denominator) else -(-self.numerator // self.denominator)

    @property
    def truncated(self) -> Whole:
        """Towards 0, as a cast to a whole number."""
        if _is_one(self.denominator):
            return self.numerator
        return self.floor if self.numerator >= 0 else self.ceiling

    @property
    def rounded(self) -> Whole:
        """To the nearest, halves to the even one."""
        if _is_one(self.denominator):
            return self.numerator
        twice, over = 2 * self.numerator + self.denominator, 2 * self.denominator
        up = twice // over
        return up - 1 if twice % over == 0 and up % 2 == 1 else up


def quotient_of(number: float | Whole | Quotient) -> Quotient:
    """``number`` as a quotient; a float32 such as 0.3333333 as the fraction that was rounded to it.

    Raises:
        NotExact: it is not finite.
    """
    if isinstance(number, Quotient):
        return number
    if isinstance(number, float):
        return _fraction(number)
    return Quotient(number)


def _fraction(number: float) -> Quotient:
    if number != number or number in (float("inf"), float("-inf")):
        raise NotExact(f"a size is computed with {number}")
    simple = Fraction(number).limit_denominator(_LARGEST_DENOMINATOR)
    single = torch.tensor(number, dtype=torch.float32).item()
    found = simple if torch.tensor(float(simple), dtype=torch.float32).item() == single else Fraction(number)
    return Quotient(found.numerator, found.denominator)


def _reduced(numerator: Whole, denominator: Whole) -> Quotient:
    if isinstance(numerator, int) and isinstance(denominator, int):
        common = gcd(numerator, denominator) or 1
        return Quotient(numerator // common, denominator // common)
    return Quotient(numerator, denominator)


def _are_numbers(one: Quotient, other: Quotient) -> bool:
    return isinstance(one.denominator, int) and isinstance(other.denominator, int)


def _same(one: Quotient, other: Quotient) -> bool:
    return bool(one.denominator == other.denominator)


def _is_one(number: Whole) -> bool:
    return isinstance(number, int) and number == 1
