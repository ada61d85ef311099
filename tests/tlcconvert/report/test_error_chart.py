"""Bars of a histogram stand where their errors are, on one axis for all comparisons."""

from __future__ import annotations

import pytest

from tests.tlcconvert.report.made_up import compared
from tlcconvert.report.error_chart import HEIGHT, WIDTH, Axis, axis_of, chart_of


def test_the_axis_has_every_error_and_every_bound() -> None:
    # 10^-8 to 10^-6.5 over a scale of 2 is from 5e-9 on; the bound is 1e-5.
    assert axis_of([compared()]) == Axis(-9, -5)
    assert axis_of([compared(), compared(bound=1e-3)]) == Axis(-9, -3)
    assert axis_of([]) == Axis(-10, -4)


def test_a_bar_is_over_its_errors_and_as_tall_as_they_are_many() -> None:
    row = compared(scale=1.0)
    chart = chart_of(row, Axis(-8, -4))
    assert chart is not None
    few, many = chart.bars
    assert few.x == 0 and few.width == WIDTH / 8 - 1
    assert many.x == WIDTH / 4 and many.height == HEIGHT and many.y == 0
    assert 0 < few.height < many.height and few.y == pytest.approx(HEIGHT - few.height)
    assert chart.bound == WIDTH * 3 / 4
    assert few.label.startswith("3 values") and many.label.startswith("7 values")


def test_an_output_that_is_equal_has_no_bars() -> None:
    chart = chart_of(
        compared(histogram={"equal": 9, "not_finite": 0, "first": 0, "counts": []}), Axis(-8, -4)
    )
    assert chart is not None and chart.bars == []


def test_where_nothing_was_subtracted_there_is_no_chart() -> None:
    assert chart_of(compared(histogram=None), Axis(-8, -4)) is None
    assert chart_of(compared(scale=0.0), Axis(-8, -4)) is None


@pytest.mark.parametrize("low", [-14, -12, -9, -5, -4])
def test_ticks_are_on_the_axis_and_few(low: int) -> None:
    ticks = Axis(low, -3).ticks
    assert 2 <= len(ticks) <= 5
    assert all(0 <= x <= WIDTH for x, _ in ticks)
