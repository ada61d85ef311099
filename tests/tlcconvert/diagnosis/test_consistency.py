"""What is measured on one image, against windows taken one by one in float64."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.tlcconvert.diagnosis.networks import Brightened, Statistic, brightened
from tlcconvert.diagnosis.consistency import consistency, decibels, deviation
from tlcconvert.network.pixels import Pixels

CROP = 8


def window_means(window: int) -> Statistic:
    """The mean over the window about each pixel, moved inside at the borders."""

    def statistic(x: Tensor) -> Tensor:
        means = torch.empty_like(x)
        height, width = x.shape[2:]
        for row in range(height):
            for column in range(width):
                top = min(max(row - (min(window, height) - 1) // 2, 0), height - min(window, height))
                left = min(max(column - (min(window, width) - 1) // 2, 0), width - min(window, width))
                pixels = x[:, :, top : top + window, left : left + window]
                means[:, :, row, column] = pixels.mean((2, 3))
        return means

    return statistic


@pytest.mark.parametrize(
    ("over", "times", "size"),
    [(1, 1, (24, 31)), (1, 1, (8, 40)), (1, 3, (24, 32)), (2, 1, (24, 32)), (2, 3, (32, 24))],
)
def test_errors_and_change_are_those_of_windows_taken_one_by_one(
    over: int, times: int, size: tuple[int, int]
) -> None:
    network = Brightened(0.1, over, times)
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * torch.linspace(
        0, 1, size[1]
    )
    positions = [(0, 0), (0, 8), (size[0] - CROP, 16), (0, 16)]
    found = consistency(brightened(CROP, over, times), image, positions)

    as_made = network(image.double())
    network.statistic = window_means(12 // over)
    by_windows = network(image.double())
    network.statistic = Brightened().statistic
    assert found.change == pytest.approx(float((by_windows - as_made).square().mean()), rel=1e-4)
    for number, (top, left) in enumerate(positions):
        on_crop = network(image[..., top : top + CROP, left : left + CROP].double())
        side = CROP // over * times
        first, last = side // 4, side - side // 4
        y, x = top // over * times, left // over * times
        inner = on_crop[..., first:last, first:last]
        for errors, whole in ((found.global_errors, as_made), (found.local_errors, by_windows)):
            there = whole[..., y + first : y + last, x + first : x + last]
            expected = float((inner - there).square().mean())
            assert float(errors[number]) == pytest.approx(expected, rel=1e-3, abs=1e-13)


def test_white_and_black_are_the_unit() -> None:
    network = brightened(CROP)
    image = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    unit = consistency(network, image, [(0, 0)])
    of_bytes = consistency(replace(network, pixels=Pixels((0.0, 255.0))), image * 255, [(0, 0)])
    assert of_bytes.change == pytest.approx(unit.change, rel=1e-4)
    assert of_bytes.global_errors.tolist() == pytest.approx(unit.global_errors.tolist(), rel=1e-4)


def test_work_is_counted_as_it_is_done() -> None:
    network = brightened(CROP)
    done: list[int] = []
    consistency(network, torch.rand(1, 3, 16, 24), [(0, 0), (8, 8)], done.append)
    cost = network.cost.multiply_adds
    assert done == [cost(1, 16, 24), cost(1, 16, 24), cost(2, CROP, CROP)]


def test_rounding_is_no_evidence() -> None:
    nothing, something = torch.tensor([1e-14, 0.0, 4e-4]), torch.tensor([0.0, 3e-13, 1e-4])
    assert decibels(nothing, something).tolist() == pytest.approx([0, 0, 10 * math.log10(4)])
    assert deviation(0.0) == -math.inf
    assert deviation(0.01) == pytest.approx(-20)
