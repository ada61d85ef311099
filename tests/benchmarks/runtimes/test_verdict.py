"""When an output is right: in float32, in half precision, and where the network itself amplifies rounding."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from benchmarks.latency.subjects import Subject
from benchmarks.runtimes.runtimes import BFLOAT16, FLOAT16, FLOAT32
from benchmarks.runtimes.verdict import Verdict, rounding_of, verdict

EXACT = torch.linspace(-2, 1, 600, dtype=torch.float64).reshape(1, 3, 10, 20)


def one_off(error: float) -> Tensor:
    """``EXACT`` with one value wrong by ``error`` of the scale."""
    output = EXACT.clone()
    output[0, 1, 5, 5] += 2 * error
    return output


def noisy(decibels: float) -> Tensor:
    """``EXACT`` with an error of the same size everywhere."""
    return EXACT + 2 * 10 ** (-decibels / 20)


def in_float32(output: Tensor, rounding: float = 0.0) -> Verdict:
    return verdict("image", FLOAT32, output, EXACT, rounding, None)


def test_float32_has_one_part_in_a_hundred_thousand() -> None:
    assert in_float32(one_off(9e-6)).is_right
    assert not in_float32(one_off(1.1e-5)).is_right


def test_four_times_what_float32_loses_by_itself_is_right_up_to_a_thousandth() -> None:
    assert in_float32(one_off(3.9e-4), rounding=1e-4).is_right
    assert not in_float32(one_off(4.1e-4), rounding=1e-4).is_right
    assert not in_float32(one_off(1.1e-3), rounding=1e-2).is_right


@pytest.mark.parametrize("precision", [FLOAT32, FLOAT16, BFLOAT16])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_never_right(precision: str, value: float) -> None:
    output = EXACT.clone()
    output[0, 0, 0, 0] = value
    for stock in (None, math.nan, -50.0):
        assert not verdict("image", precision, output, EXACT, 1.0, stock).is_right


def test_another_shape_is_not_right() -> None:
    judged = in_float32(EXACT[..., :-1])
    assert not judged.is_right
    assert judged.text == "1x3x10x19 for 1x3x10x20 values"


def test_float16_keeps_70_decibels_or_what_the_stock_export_keeps() -> None:
    def is_right(decibels: float, stock: float) -> bool:
        return verdict("image", FLOAT16, noisy(decibels), EXACT, 0, stock).is_right

    assert is_right(70.1, 90) and not is_right(69.9, 90)
    assert is_right(59.1, 60) and not is_right(58.9, 60)
    assert not is_right(69.9, math.nan)


def test_float16_cannot_keep_more_than_is_left_of_the_image() -> None:
    def is_right(decibels: float, halved: float) -> bool:
        return verdict("image", FLOAT16, noisy(decibels), EXACT, 0, 90, halved).is_right

    assert is_right(17.1, 20) and not is_right(16.9, 20)
    assert not is_right(69.9, 80)


def test_bfloat16_is_measured_by_the_stock_export_alone() -> None:
    def is_right(decibels: float, stock: float) -> bool:
        return verdict("image", BFLOAT16, noisy(decibels), EXACT, 0, stock).is_right

    assert is_right(49.1, 50) and not is_right(48.9, 50)
    assert not is_right(75, 80)


def test_decibels_are_of_the_largest_value() -> None:
    assert verdict("image", FLOAT16, noisy(42), EXACT, 0, 90).decibels == pytest.approx(42)


def test_rounding_is_larger_where_a_norm_amplifies_it() -> None:
    subject = Subject("norm", lambda: nn.InstanceNorm2d(3), 24, (40, 40))
    noise = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    assert rounding_of(subject, noise) < 1e-6
    assert 1e-6 < rounding_of(subject, 1000 + 0.1 * noise) < 1
