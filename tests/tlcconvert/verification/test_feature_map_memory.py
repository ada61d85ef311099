"""The least memory of a run, counted by hand for graphs small enough to see every map of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tlcconvert.capture.capture import capture
from tlcconvert.verification.feature_map_memory import FeatureMapMemory


class Chain(nn.Sequential):
    """Three channels become 64, are rectified and become 3 again: at most two maps of 64 channels at once."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 3, 3, padding=1))

    def elements(self, pixels: int) -> int:
        return (64 + 64) * pixels


class Skip(nn.Module):
    """The image is read last of all, so it is alive beside both maps of 8 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x).sigmoid()) + x

    def elements(self, pixels: int) -> int:
        return (3 + 8 + 8) * pixels


class Gate(nn.Module):
    """Halves are views: the map of 16 channels is there until they are multiplied, and once."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.first(x).chunk(2, dim=1)
        return one * other

    def elements(self, pixels: int) -> int:
        return (16 + 8) * pixels


class Upscaling(nn.Module):
    """The result is four times as large as what it is made of; the shuffle writes a new map."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shuffle = nn.Conv2d(3, 12, 1), nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.shuffle(self.first(x))

    def elements(self, pixels: int) -> int:
        return (12 + 3 * 4) * pixels


@pytest.mark.parametrize(
    "network", [Chain(), Skip(), Gate(), Upscaling()], ids=lambda each: type(each).__name__
)
def test_the_peak_is_what_is_alive_at_the_fullest_moment(network: nn.Module) -> None:
    torch.manual_seed(0)
    memory = FeatureMapMemory(capture(network.eval(), input_channels=3).program)
    for batch, height, width in ((1, 64, 64), (2, 97, 33), (3, 1, 5), (1, 100_000, 100_000)):
        assert memory.peak_bytes(batch, height, width) == 4 * network.elements(batch * height * width)


def test_weights_are_there_already_and_do_not_count() -> None:
    memory = FeatureMapMemory(capture(nn.Conv2d(3, 512, 9, padding=4).eval(), input_channels=3).program)
    assert memory.peak_bytes(1, 2, 2) == 4 * (3 + 512) * 4
