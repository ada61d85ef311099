"""From two numbers to a verdict, and from errors to what a gain may be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tlcconvert.diagnosis.verdict import Verdict, largest_change, likely_gain, verdict_of

MEASURED = [
    (14.7, -33, Verdict.LOCAL),
    (13.5, -33, Verdict.LOCAL),
    (4.6, -44, Verdict.LOCAL),
    (4.9, -41, Verdict.LOCAL),
    (8.4, -44, Verdict.LOCAL),
    (4.9, -51, Verdict.LOCAL),
    (1.8, -57, Verdict.LOCAL),
    (4.8, -55, Verdict.LOCAL),
    (4.1, -52, Verdict.LOCAL),
    (2.2, -54, Verdict.LOCAL),
    (1.7, -56, Verdict.LOCAL),
    (-0.6, -15, Verdict.UNSAFE),
    (-1.8, -14, Verdict.UNSAFE),
]
"""C and D of trained networks, and whether local statistics gained in PSNR."""


@pytest.mark.parametrize(("closer", "change", "verdict"), MEASURED)
def test_the_verdict_is_right_for_every_network_that_was_measured(
    closer: float, change: float, verdict: Verdict
) -> None:
    assert verdict_of(closer, change) is verdict


def test_a_large_change_is_unsafe_however_close_it_comes_to_the_crops() -> None:
    assert verdict_of(20, -24.9) is Verdict.UNSAFE
    assert verdict_of(20, -25.1) is Verdict.LOCAL
    assert verdict_of(0.9, -25.1) is Verdict.NO_BENEFIT
    assert verdict_of(0, -math.inf) is Verdict.NO_BENEFIT


def test_no_output_within_the_change_gains_more_than_the_bound_and_one_gains_it() -> None:
    rng = np.random.default_rng(0)
    error = rng.normal(size=10_000)
    error *= 10 ** (-30 / 20) / np.sqrt(np.mean(error**2))
    for change in (-60, -44, -33):
        bound = largest_change(change, 30)
        best = error * (1 - 10 ** ((change + 30) / 20))
        assert gain(error, best) == pytest.approx(bound)
        for _ in range(20):
            step = rng.normal(size=error.size)
            step *= 10 ** (change / 20) / np.sqrt(np.mean(step**2))
            assert abs(gain(error, error + step)) <= bound
    assert largest_change(-20, 30) == math.inf


def test_a_likely_gain_is_that_of_errors_which_fall_as_the_distance_from_crops_does() -> None:
    before, less = 10 ** (-30 / 10), 2e-4
    assert likely_gain(less, 30) == pytest.approx(10 * math.log10(before / (before - less)))
    assert likely_gain(-less, 30) == pytest.approx(-10 * math.log10((before + less) / before))
    assert likely_gain(2 * before, 30) is None


def gain(before: np.ndarray, after: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(before**2) / np.mean(after**2)))
