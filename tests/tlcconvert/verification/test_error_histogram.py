"""Differences of single values are counted where they belong, in any order of the values."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tlcconvert.verification import error_histogram as module
from tlcconvert.verification.error_histogram import error_histogram

DIFFERENCES = st.lists(
    st.one_of(st.just(0.0), st.floats(1e-12, 1e3), st.sampled_from([math.inf, math.nan])),
    min_size=1,
    max_size=40,
)


@given(DIFFERENCES)
def test_every_value_is_in_the_bin_that_holds_its_difference(differences: list[float]) -> None:
    a = torch.tensor(differences, dtype=torch.float64)
    histogram = error_histogram(a, torch.zeros_like(a))
    assert histogram.total == len(differences)
    assert histogram.equal == differences.count(0.0)
    assert histogram.not_finite == sum(not math.isfinite(each) for each in differences)
    for number, count in enumerate(histogram.counts):
        low, high = histogram.edge(number), histogram.edge(number + 1)
        inside = [each for each in differences if math.isfinite(each) and low < each < high]
        on_an_edge = [
            each for each in differences if each and (math.isclose(each, low) or math.isclose(each, high))
        ]
        assert len(set(inside) - set(on_an_edge)) <= count <= len(inside) + len(on_an_edge)


def test_an_output_longer_than_a_block_is_counted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", 7)
    own = torch.rand(3, 5, 4, generator=torch.Generator().manual_seed(0)) + 0.2
    blocks = error_histogram(own, torch.zeros(3, 5, 4))
    monkeypatch.undo()
    assert blocks == error_histogram(own, torch.zeros(3, 5, 4))
    assert blocks.total == 60


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (torch.tensor([3, 4]), torch.tensor([3, 14])),
        (torch.tensor([1j, 3 + 4j]), torch.tensor([1j, -3 - 4j])),
    ],
    ids=["whole numbers", "complex numbers"],
)
def test_ten_apart_is_in_the_bin_that_begins_at_ten(own: torch.Tensor, other: torch.Tensor) -> None:
    histogram = error_histogram(own, other)
    assert (histogram.equal, histogram.counts, histogram.edge(0)) == (1, (1,), 10.0)


def test_outputs_without_values_have_an_empty_histogram() -> None:
    histogram = error_histogram(torch.zeros(0), torch.zeros(0))
    assert (histogram.total, histogram.counts) == (0, ())
