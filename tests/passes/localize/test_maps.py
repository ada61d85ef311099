"""Statistics of one map used on another: replicated to their own map, then the nearest element."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from passes.localize import Training, localize
from passes.program import runnable
from tests.passes.localize.captured import captured
from tests.passes.localize.crop_oracle import cropped
from tests.passes.localize.squeeze_networks import CHANNELS

WINDOW = (6, 4)
SIZES = [(8, 10), (6, 4), (3, 12), (13, 2), (11, 9)]


class MeanEverywhere(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True).expand_as(x)


class UsedAtTwiceTheResolution(nn.Module):
    """A statistic of the small map scales the large one."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2, mode="nearest") * x.mean((2, 3), keepdim=True)

    def oracle(self, x: Tensor) -> Tensor:
        local = cropped(MeanEverywhere(), x, WINDOW)
        return functional.interpolate(x, scale_factor=2, mode="nearest") * local.repeat_interleave(
            2, 2
        ).repeat_interleave(2, 3)


class StatisticsOfTwoMaps(nn.Module):
    """One gate computed from a map and from its half."""

    def forward(self, x: Tensor) -> Tensor:
        half = functional.avg_pool2d(x, 2, ceil_mode=True)
        return x * (x.mean((2, 3), keepdim=True) * half.mean((2, 3), keepdim=True)).sigmoid()

    def oracle(self, x: Tensor) -> Tensor:
        half = functional.avg_pool2d(x, 2, ceil_mode=True)
        own = cropped(MeanEverywhere(), x, WINDOW)
        other = cropped(MeanEverywhere(), half, (WINDOW[0] // 2, WINDOW[1] // 2))
        rows, columns = (
            nearest(length, half.shape[axis]) for axis, length in zip((2, 3), x.shape[2:], strict=True)
        )
        return x * (own * other[:, :, rows][..., columns]).sigmoid()


def nearest(length: int, source: int) -> list[int]:
    """floor((i + 1/2) * source / length) for every i, in integers."""
    return [(2 * i + 1) * source // (2 * length) for i in range(length)]


@pytest.mark.parametrize(
    "architecture", [UsedAtTwiceTheResolution, StatisticsOfTwoMaps], ids=lambda a: a.__name__
)
def test_a_statistic_reaches_another_map_by_the_nearest_element(
    architecture: type[UsedAtTwiceTheResolution | StatisticsOfTwoMaps],
) -> None:
    network = architecture().double().eval()
    program = captured(network)
    localized = localize(program, Training((8, 8), WINDOW))
    local = runnable(program)
    assert not localized.skipped
    for height, width in SIZES:
        x = torch.randn(2, CHANNELS, height, width, dtype=torch.float64) + 1
        expected = network.oracle(x)
        with torch.no_grad():
            assert (local(x) - expected).abs().max() < 1e-10 * expected.abs().max()
        if localized.is_unchanged_at(height, width):
            assert (network(x) - expected).abs().max() < 1e-10
    program.validate()
