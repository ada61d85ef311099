"""The counted cost of a run against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tlcconvert


class Attended(nn.Module):
    """One convolution, a batch norm that folds into it, and a channel attention."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.norm.running_mean = torch.rand(8)
        self.attention = nn.Conv2d(8, 8, 1, bias=False)
        self.last = nn.Conv2d(8, 3, 1, bias=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.first(image))
        return self.last(x * self.attention(x.mean((2, 3), keepdim=True)))


PIXELS = 720 * 1280
CONVOLUTIONS = PIXELS * (9 * 3 * 8 + 8 * 3)


@pytest.fixture(scope="module")
def change() -> tlcconvert.Conversion:
    torch.manual_seed(0)
    return tlcconvert.convert(Attended().eval(), 16, verify_sizes=[(8, 9)])


def test_before_it_is_the_convolutions_and_the_attention_of_one_vector(change: tlcconvert.Conversion) -> None:
    assert change.cost is not None
    assert change.cost.before.multiply_adds == CONVOLUTIONS + 8 * 8


def test_afterwards_the_attention_runs_once_for_every_window(change: tlcconvert.Conversion) -> None:
    assert change.cost is not None
    windows = (720 - 24 + 1) * (1280 - 24 + 1)
    assert change.cost.after.multiply_adds == CONVOLUTIONS + 8 * 8 * windows


def test_a_folded_norm_adds_a_bias_and_takes_its_own_numbers_away(change: tlcconvert.Conversion) -> None:
    assert change.cost is not None
    weights = 9 * 3 * 8 + 8 * 8 + 8 * 3
    assert change.cost.after.weights == weights + 8
    assert change.cost.before.weights >= weights + 4 * 8


def test_memory_is_at_least_the_two_maps_a_convolution_needs(change: tlcconvert.Conversion) -> None:
    assert change.cost is not None
    assert change.cost.before.feature_map_bytes >= 4 * PIXELS * (3 + 8)


def test_a_file_of_one_size_is_counted_at_that_size() -> None:
    torch.manual_seed(0)
    conversion = tlcconvert.convert(Attended().eval(), 16, static_size=(10, 12))
    assert conversion.cost is not None
    assert (conversion.cost.before.height, conversion.cost.before.width) == (10, 12)
