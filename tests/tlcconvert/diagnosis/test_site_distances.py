"""Wasserstein distances of values that are known."""

from __future__ import annotations

import pytest
import torch

from tlcconvert.diagnosis.site_distances import distance


def test_values_moved_by_two_spreads_are_two_away_whatever_their_unit() -> None:
    crops = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 10, 0.1])
    spread = crops.std(0, correction=0)
    assert distance([crops], [crops]) == 0
    assert distance([crops + 2 * spread], [crops[:300], crops[300:]]) == pytest.approx(2, rel=1e-5)
    assert distance([crops - spread, crops + spread], [crops]) == pytest.approx(0.5, abs=0.25)


def test_one_value_is_as_far_as_the_crops_are_on_average() -> None:
    crops = torch.tensor([[-1.0], [1.0]])
    assert distance([torch.tensor([[0.0]])], [crops]) == pytest.approx(1, abs=0.05)


def test_channels_that_are_the_same_on_all_crops_tell_nothing() -> None:
    crops = torch.tensor([[1.0, 5], [3.0, 5]])
    assert distance([crops + torch.tensor([1.0, 9])], [crops]) == pytest.approx(1)
    assert distance([crops[:, 1:]], [crops[:, 1:]]) is None
