"""What the index along an axis of a tensor counts: rows, columns, images, channels, or pieces of these.

The index of a tensor's axis is a number in mixed radix. Its digits say what it counts, most significant first::

    [N, C, H, W]                      (n) (c) (h) (w)
    flatten                           (n) (c) (h w)
    windows of 8                      (n) (c) (h/8) (h%8) (w/8) (w%8)
    permuted and gathered             (n h/8 w/8) (h%8 w%8) (c)

Views and permutations only regroup digits, so windows that are put back where they were make whole axes again,
and those put elsewhere do not. What an operation does to the order of pixels along an axis is a step on the digit:
a flip, a roll, a Fourier transform. The inverse takes the step off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from typing import Any

from torch import fx

from passes.program import where
from passes.window_domain.axis import Axis
from passes.window_domain.descent.sampled import ONE, Values, is_constant, quotient, times

Interval = tuple[Fraction, Fraction]

WHOLE: Interval = (Fraction(0), Fraction(1))


class Counts(Enum):
    """What a digit counts."""

    IMAGES = "images"
    ROWS = "rows"
    COLUMNS = "columns"
    CHANNELS = "channels"
    UNKNOWN = "unknown"


PIXELS = (Counts.ROWS, Counts.COLUMNS)


@dataclass(frozen=True)
class Step:
    """A change of the order of pixels.

    Attributes:
        kind: ``"flip"``, ``"roll"`` and the like; ``key`` tells steps of one kind apart.
        verb: for the report, e.g. ``"flipped"``, and ``node`` the operation that did it.
        before: the digit it was done to, and ``size`` the elements it left.
    """

    kind: str
    key: Any
    verb: str = field(compare=False)
    node: fx.Node | None = field(default=None, compare=False)
    before: Digit | None = field(default=None, compare=False)
    size: Values = field(default=ONE, compare=False)

    @property
    def text(self) -> str:
        """``"flipped by aten.flip.default at body.0 (network.py:12)"``."""
        return self.verb if self.node is None else f"{self.verb} by {self.node.target} at {where(self.node)}"


@dataclass(frozen=True)
class Digit:
    """One digit of an index.

    Attributes:
        size: values the digit takes.
        stride: elements of its map between two values of it.
        total: elements of its map along this axis.
        part: the part of the image's height or width the map covers.
        steps: what was done to the order of its elements, latest last; empty means pixels are in place.
        is_free: the tensor is the same, or a mere function of position, along it.
        extent: an axis in the graph that has this digit alone.
    """

    counts: Counts
    size: Values
    stride: Values = ONE
    total: Values = ONE
    part: Interval = WHOLE
    steps: tuple[Step, ...] = ()
    is_free: bool = field(default=False, compare=False)
    extent: Axis | None = field(default=None, compare=False)

    @property
    def is_leading(self) -> bool:
        """Whether it counts whole blocks of its map, from the first to the last."""
        return times(self.stride, self.size) == self.total

    @property
    def is_in_place(self) -> bool:
        """Whether element i lies at i / size of the map, as on a coarser map."""
        return self.counts in PIXELS and not self.steps and self.is_leading

    def split(self, outer: Values, inner: Values) -> tuple[Digit, Digit]:
        return (
            replace(self, size=outer, stride=times(self.stride, inner), extent=None),
            replace(self, size=inner, extent=None),
        )

    def after(self, step: Step) -> Digit:
        return replace(self, steps=(*self.steps, step), extent=None)


Digits = tuple[Digit, ...]
Axes = tuple[Digits, ...]


def whole(counts: Counts, size: Values, part: Interval = WHOLE, is_free: bool = False) -> Digits:
    """The one digit of an axis that runs over a whole map."""
    return () if size == ONE else (Digit(counts, size, ONE, size, part, is_free=is_free),)


def channels(size: Values) -> Digits:
    return () if size == ONE else (Digit(Counts.CHANNELS, size),)


def unknown(size: Values, steps: tuple[Step, ...]) -> Digits:
    return () if size == ONE else (Digit(Counts.UNKNOWN, size, steps=steps),)


def size_of(digits: Iterable[Digit]) -> Values:
    size = ONE
    for digit in digits:
        size = times(size, digit.size)
    return size


def steps_of(digits: Iterable[Digit]) -> tuple[Step, ...]:
    """The steps of the first digit that has any."""
    return next((digit.steps for digit in digits if digit.steps), ())


def merged(digits: Iterable[Digit]) -> Digits:
    """Neighbours that are pieces of one digit, put together."""
    result: list[Digit] = []
    for digit in digits:
        union = _union(result[-1], digit) if result else None
        if union is None:
            result.append(digit)
        else:
            result[-1] = union
    return tuple(result)


def _union(outer: Digit, inner: Digit) -> Digit | None:
    size = times(outer.size, inner.size)
    if outer.counts is inner.counts is Counts.CHANNELS:
        return Digit(Counts.CHANNELS, size)
    same_map = (outer.counts, outer.total, outer.part, outer.steps) == (
        inner.counts, inner.total, inner.part, inner.steps,
    )  # fmt: skip
    if outer.counts in (Counts.CHANNELS, Counts.UNKNOWN) or not same_map:
        return None
    if outer.stride != times(inner.stride, inner.size):
        return None
    return replace(inner, size=size, is_free=outer.is_free and inner.is_free, extent=None)


def is_same_place(a: Digit, b: Digit) -> bool:
    """Whether equal values of two digits stand for the same place."""
    if (a.counts, a.size, a.part, a.steps) != (b.counts, b.size, b.part, b.steps):
        return False
    return (a.stride, a.total) == (b.stride, b.total) or (a.is_leading and b.is_leading)


def united(a: Digits, b: Digits, step: Step) -> Digits:
    """What the elements of two tensors combined along an axis of equal size count.

    A tensor that is the same along the axis, or holds numbers by position (coordinates, a position encoding),
    follows the other; so do channels that meet the pixels of a window. Pixels in two different orders are no
    map: ``step`` is what ended it.
    """
    if not b or all(digit.is_free for digit in b):
        return a or b
    if not a or all(digit.is_free for digit in a):
        return b
    if len(a) == len(b) and all(x.size == y.size for x, y in zip(a, b, strict=True)):
        pairs = [_united(x, y) for x, y in zip(a, b, strict=True)]
        if all(pair is not None for pair in pairs):
            return tuple(pair for pair in pairs if pair is not None)
    for one, other in ((a, b), (b, a)):
        if all(digit.counts is Counts.CHANNELS for digit in one):
            return other
    return unknown(size_of(a), (*(steps_of(a) or steps_of(b)), step))


def _united(a: Digit, b: Digit) -> Digit | None:
    if is_same_place(a, b) or b.counts is Counts.CHANNELS:
        return a
    return b if a.counts is Counts.CHANNELS else None


def regrouped(axes: Axes, sizes: Sequence[Values], step: Step) -> Axes:
    """The digits of a row-major view of a tensor with ``axes`` as one of the shape ``sizes``.

    Axes whose sizes cut through digits that do not divide count nothing that has a name; ``step`` says why.
    """
    apart = [digit for digits in axes for digit in digits]
    pending = list(merged(apart))
    # A cut between two digits needs no division, even where they make up one run of pixels.
    for digits in (apart, pending):
        whole_axes = _cut(list(digits), sizes)
        if whole_axes is not None:
            return _as_finer_map(whole_axes)
    wanted = list(sizes)
    result: list[Digits] = []
    while wanted:
        taken = _taken(pending, wanted[0], wanted[1:])
        if taken is None:
            groups = _scrambled(pending, wanted, step)
            result += groups
            del wanted[: len(groups)]
        else:
            result.append(merged(taken))
            del wanted[0]
    return _as_finer_map(tuple(result))


def _cut(pending: list[Digit], sizes: Sequence[Values]) -> Axes | None:
    """``pending`` cut into axes of ``sizes``; None where a size cuts through digits that do not divide."""
    axes = []
    for index, size in enumerate(sizes):
        taken = _taken(pending, size, sizes[index + 1 :])
        if taken is None:
            return None
        axes.append(merged(taken))
    return tuple(axes)


def _taken(pending: list[Digit], size: Values, following: Sequence[Values]) -> list[Digit] | None:
    """Digits of an axis of ``size`` taken off the front of ``pending``, the last one split where needed.

    A constant divides a growing size at every image only where the axes that follow, of ``following`` sizes, make up
    what it leaves: blocks of rows end where the rows end.
    """
    taken: list[Digit] = []
    rest, left = list(pending), size
    while left != ONE:
        if not rest:
            return None
        digit = rest.pop(0)
        fewer, inner = quotient(left, digit.size), quotient(digit.size, left)
        if fewer is not None:
            # A constant in front of a growing size would divide it at some images only.
            if (
                digit.counts is Counts.CHANNELS
                and fewer != ONE
                and not _begin_with((other.size for other in rest), fewer)
            ):
                return None
            taken.append(digit)
            left = fewer
        elif inner is not None:
            if is_constant(left) and not is_constant(digit.size) and not _begin_with(following, inner):
                return None
            outer, remainder = digit.split(left, inner)
            taken.append(outer)
            rest.insert(0, remainder)
            left = ONE
        else:
            return None
    pending[:] = rest
    return taken


def _begin_with(sizes: Iterable[Values], product: Values) -> bool:
    """Whether the first of ``sizes``, multiplied, are ``product``."""
    left: Values | None = product
    for size in sizes:
        left = quotient(left, size) if left is not None else None
        if left is None or left == ONE:
            break
    return left == ONE


def _scrambled(pending: list[Digit], wanted: Sequence[Values], step: Step) -> list[Digits]:
    """Unknown digits for as many axes as it takes until digits and axes cover the same elements again."""
    before, after, count = ONE, ONE, 0
    steps: tuple[Step, ...] = ()
    while count < len(wanted) and (not count or before != after):
        after = times(after, wanted[count])
        count += 1
        while pending and before != after and before[0] < after[0]:
            digit = pending.pop(0)
            steps = steps or digit.steps
            before = times(before, digit.size)
    if before != after:
        pending.clear()
        count = len(wanted)
    return [unknown(size, (*steps, step)) for size in wanted[:count]]


def _as_finer_map(axes: Axes) -> Axes:
    """Blocks of rows and columns whose insides were computed anew, as by a pixel shuffle: a map of more elements."""
    found = {
        digit.counts for digits in axes for digit, inside in pairwise(digits) if _is_block(digit, inside)
    }
    if found != set(PIXELS):
        return axes
    return tuple(_fused(digits) for digits in axes)


def _is_block(digit: Digit, inside: Digit) -> bool:
    return digit.is_in_place and inside.counts is Counts.CHANNELS and is_constant(inside.size)


def _fused(digits: Digits) -> Digits:
    result: list[Digit] = []
    for digit in digits:
        if result and _is_block(result[-1], digit):
            size = times(result[-1].size, digit.size)
            result[-1] = Digit(result[-1].counts, size, ONE, size, result[-1].part)
        else:
            result.append(digit)
    return tuple(result)
