"""An error is judged by what the output is worth, over a few images; nothing is compared with zero by accident."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE
from tlcconvert.verification.compare import Trial, compare_callables, expected_at
from tlcconvert.verification.parity import Comparison, Parity

INPUTS = NetworkInputs(3)
SIZES = [(1, 24, 30), (2, 40, 17)]


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def compare(candidate: Callable[[Tensor], Tensor], reference: Callable[[Tensor], Tensor]) -> Parity:
    return compare_callables(candidate, Function(reference), INPUTS, SIZES, TOLERANCE, "a / b")


@pytest.mark.parametrize("scale", [1e-6, 1e-12, 1e-30, 1e-37])
def test_zeros_are_no_result_for_a_network_whose_values_are_tiny(scale: float) -> None:
    assert not compare(torch.zeros_like, lambda x: x * scale).passed
    assert not compare(lambda x: 1.001 * x * scale, lambda x: x * scale).passed
    assert compare(lambda x: x * scale * (1 + 1e-7), lambda x: x * scale).passed


def test_tiny_values_that_are_mostly_rounding_are_judged_in_float64() -> None:
    def reference(x: Tensor) -> Tensor:
        return ((x + 3000) - 3000) * 1e-9

    parity = compare(lambda x: x * 1e-9, reference)
    assert parity.passed
    assert "float64" in parity.comparisons[0].note
    assert not compare(torch.zeros_like, reference).passed


def dark(x: Tensor) -> Tensor:
    """How far 5x5 pixels are below a level noise never has in its mean."""
    return (0.08 - nn.functional.avg_pool2d(x, 5, 1)).relu()


def test_an_output_that_is_zero_at_noise_is_judged_by_its_scale_at_a_photograph() -> None:
    assert compare(dark, dark).passed
    parity = compare(lambda x: dark(x) + 1e-9, dark)
    assert parity.passed
    assert {row.note for row in parity.comparisons} == {"of the scale over a few images"}
    assert not compare(lambda x: dark(x) + 1e-5, dark).passed


def test_trials_at_a_photograph_see_what_noise_does_not() -> None:
    noise, photograph = (
        expected_at(Function(dark), INPUTS, [Trial((1, 96, 128), "", shown)], "a / b")
        for shown in (False, True)
    )
    assert noise.compare(torch.zeros_like, TOLERANCE).comparisons[0].note.startswith("shapes")
    wrong = lambda x: dark(x) * 0  # noqa: E731
    assert noise.compare(wrong, TOLERANCE).passed
    assert not photograph.compare(wrong, TOLERANCE).passed


def test_a_network_that_returns_zero_everywhere_excuses_no_difference_and_is_noted() -> None:
    parity = compare(torch.zeros_like, torch.zeros_like)
    assert parity.passed
    assert "returns 0 at every image" in parity.notes[0]
    assert not compare(lambda x: x * 1e-12, torch.zeros_like).passed


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_reference_that_is_not_finite_is_noted_and_proves_nothing(value: float) -> None:
    parity = compare(lambda x: x * value, lambda x: x * value)
    assert not parity.passed
    assert len(parity.notes) == len(SIZES)
    assert all("not finite" in note for note in parity.notes)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_candidate_that_is_not_finite_fails(value: float) -> None:
    assert not compare(lambda x: x * value, lambda x: x).passed


def test_numbers_of_another_kind_fail_though_their_values_agree() -> None:
    for cast in (Tensor.long, lambda x: x.to(torch.complex64)):
        assert not compare(lambda x, cast=cast: cast(x.round()), torch.round).passed
        assert not compare(torch.round, lambda x, cast=cast: cast(x.round())).passed


def test_whole_numbers_must_be_equal() -> None:
    assert compare(lambda x: (x * 1e6).long(), lambda x: (x * 1e6).long()).passed
    assert not compare(lambda x: (x * 1e6).long() + 1, lambda x: (x * 1e6).long()).passed


@pytest.mark.parametrize(
    ("error", "magnitude", "passed"),
    [
        (0.0, 0.0, True),
        (1e-30, 0.0, False),
        (math.nan, 0.0, False),
        (1e-36, 1e-30, True),
        (1e-34, 1e-30, False),
    ],
)
def test_an_error_is_measured_by_the_scale_however_small(
    error: float, magnitude: float, passed: bool
) -> None:
    assert Comparison("a / b", 1, 2, 3, error, magnitude, TOLERANCE).passed is passed
