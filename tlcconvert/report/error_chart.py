"""Histograms of errors as bars on one axis for all comparisons: the error over the scale of the output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tlcconvert.output.report_schema import Compared

WIDTH, HEIGHT = 240, 40
_PER_DECADE = 2


@dataclass(frozen=True)
class Bar:
    """A rectangle, in pixels of the chart from its top left."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class Chart:
    """One comparison.

    Attributes:
        bars: one for each bin that is not empty.
        bound: where the largest error that passes is on the axis.
    """

    bars: Sequence[Bar]
    bound: float


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``, powers of ten."""

    low: int
    high: int

    def x(self, relative: float) -> float:
        """Where an error is, in pixels."""
        position = (math.log10(max(relative, 1e-300)) - self.low) / (self.high - self.low)
        return round(WIDTH * min(max(position, 0.0), 1.0), 2)

    @property
    def ticks(self) -> list[tuple[float, int]]:
        """Positions and exponents to write below, at most five."""
        step = -(-(self.high - self.low) // 4)
        return [(self.x(10.0**power), power) for power in range(self.low, self.high + 1, step)]


def axis_of(rows: Sequence[Compared]) -> Axis:
    """An axis on which every error and every bound is."""
    powers = [math.log10(row["bound"]) for row in rows if row["bound"] > 0]
    for row in rows:
        histogram = row["histogram"]
        if histogram is not None and histogram["counts"] and row["scale"]:
            shift = math.log10(row["scale"])
            powers.append(histogram["first"] / _PER_DECADE - shift)
            powers.append((histogram["first"] + len(histogram["counts"])) / _PER_DECADE - shift)
    if not powers:
        return Axis(-10, -4)
    low, high = math.floor(min(powers)), math.ceil(max(powers))
    return Axis(low, max(high, low + 1))


def chart_of(row: Compared, axis: Axis) -> Chart | None:
    """The bars of ``row``; their height is the logarithm of the count. None where nothing was counted."""
    histogram = row["histogram"]
    if histogram is None or not row["scale"]:
        return None
    tallest = math.log1p(max(histogram["counts"], default=1))
    bars = []
    for number, count in enumerate(histogram["counts"]):
        if not count:
            continue
        low, high = (
            10.0 ** ((histogram["first"] + edge) / _PER_DECADE) / row["scale"]
            for edge in (number, number + 1)
        )
        left, height = axis.x(low), HEIGHT * math.log1p(count) / tallest
        width = max(axis.x(high) - left - 1, 1)
        label = f"{count:,} values from {low:.0e} to {high:.0e}"
        bars.append(Bar(left, round(HEIGHT - height, 2), round(width, 2), round(height, 2), label))
    return Chart(bars, axis.x(row["bound"]))
