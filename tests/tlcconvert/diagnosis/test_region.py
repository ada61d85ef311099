"""What part of an image is run: all of it, or as much about its middle as memory and work allow."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch.nn.functional as F
from torch import Tensor, nn

from tests.tlcconvert.diagnosis.networks import brightened, subject
from tlcconvert.diagnosis import region as limits
from tlcconvert.diagnosis.region import region
from tlcconvert.diagnosis.subject import Subject

PLENTY = 10.0**30


class BlocksOfSix(nn.Module):
    """Accepts multiples of six."""

    def forward(self, x: Tensor) -> Tensor:
        sixths = x.unflatten(2, (-1, 6)).flatten(2, 3) + x.unflatten(3, (-1, 6)).flatten(3, 4)
        return sixths * x.mean((2, 3), keepdim=True)


class Coarse(nn.Module):
    """Accepts every size, and takes its statistic on a map of blocks of 24 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        blocks = F.avg_pool2d(x, 24, ceil_mode=True)
        return x * blocks.mean((2, 3), keepdim=True)


@pytest.fixture(scope="module")
def network() -> Subject:
    return brightened(8)


def test_an_affordable_image_is_run_whole(network: Subject) -> None:
    assert region(network, (301, 407), PLENTY) == (0, 0, 301, 407)


def test_of_others_the_largest_affordable_part_about_the_middle_is(network: Subject) -> None:
    top, left, height, width = region(network, (5774, 8660), PLENTY)
    assert network.memory.peak_bytes(1, height, width) <= limits.MOST_BYTES
    assert network.memory.peak_bytes(1, int(height / 0.9), int(width / 0.9)) > limits.MOST_BYTES
    assert height / width == pytest.approx(5774 / 8660, rel=0.01)
    assert (top, left) == ((5774 - height) // 2, (8660 - width) // 2)


def test_work_bounds_it_too_but_never_to_less_than_two_windows(network: Subject) -> None:
    work = network.cost.multiply_adds(1, 200, 200)
    _, _, height, width = region(network, (400, 400), work)
    assert 2 * network.cost.multiply_adds(1, height, width) <= work
    assert height == width > 100
    assert region(network, (400, 20), 0)[2:] == (24, 20)


def test_a_part_is_of_a_size_the_network_accepts() -> None:
    network = subject(BlocksOfSix(), 12)
    assert network.requirements.multiple == 6
    assert region(network, (100, 67), PLENTY)[2:] == (96, 66)
    assert all(extent % 6 == 0 for extent in region(network, (9999, 9998), PLENTY)[2:])
    limited = replace(network, requirements=replace(network.requirements, maximum=48))
    assert region(limited, (100, 67), PLENTY)[2:] == (48, 48)


def test_crops_are_of_accepted_sizes_at_positions_of_every_stride() -> None:
    network = subject(BlocksOfSix(), 8)
    assert network.crop_size == (12, 12)
    assert network.alignment == 12

    strided = brightened(8, over=2)
    assert (strided.crop_size, strided.alignment) == ((8, 8), 8)
    coarse = subject(Coarse(), 48)
    assert (coarse.requirements.multiple, coarse.alignment) == (1, 24)
