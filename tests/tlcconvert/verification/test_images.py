"""Images to compare at: noise, and a photograph with flat and dark areas, for any number of channels."""

from __future__ import annotations

import pytest
import torch

from tlcconvert.network.network_inputs import ExtraInput, NetworkInputs
from tlcconvert.verification.images import noise, photograph


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 33, 200), (1, 400, 7)], ids=str)
def test_the_photograph_fills_every_size_and_number_of_channels(
    channels: int, size: tuple[int, int, int]
) -> None:
    (image,) = photograph(NetworkInputs(channels), *size)
    assert image.shape == (size[0], channels, *size[1:])
    assert image.dtype is torch.float32
    assert 0 <= float(image.min()) <= float(image.max()) <= 1


def test_it_has_flat_dark_and_bright_areas_which_noise_has_not() -> None:
    inputs = NetworkInputs(3)
    (image,) = photograph(inputs, 1, 96, 128)
    (random,) = noise(inputs, 1, 96, 128, seed=0)
    means, flat_means = (torch.nn.functional.avg_pool2d(x, 5) for x in (image, random))
    spreads, flat_spreads = (
        torch.nn.functional.avg_pool2d(x**2, 5) - torch.nn.functional.avg_pool2d(x, 5) ** 2
        for x in (image, random)
    )
    assert means.min() < 0.05
    assert means.max() > 0.9
    assert spreads.min() < 1e-5
    assert flat_means.min() > 0.2
    assert flat_spreads.min() > 1e-2


def test_channels_and_images_of_a_batch_differ() -> None:
    (images,) = photograph(NetworkInputs(6), 2, 40, 40)
    planes = images.flatten(0, 1)
    assert all(not torch.equal(a, b) for i, a in enumerate(planes) for b in planes[:i])


def test_inputs_beside_the_image_are_what_noise_gives_them() -> None:
    inputs = NetworkInputs(3, (ExtraInput("noise_level"),))
    assert torch.equal(photograph(inputs, 1, 8, 9)[1], noise(inputs, 1, 8, 9, seed=0)[1])
