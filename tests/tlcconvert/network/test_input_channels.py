"""The layer that sees the image says how many channels it has, whichever layer is registered first."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tlcconvert.errors import CaptureError
from tlcconvert.network.input_channels import input_channels_of
from tlcconvert.network.network_inputs import ExtraInput, NetworkInputs
from tlcconvert.sizes.size_requirements import SizeProbe, probe_size_requirements


class EncoderFirst(nn.Module):
    """Registers the layer that sees the image second (HINet, MIMO-UNet, FFA-Net)."""

    def __init__(self, channels: int, shuffle: int = 1) -> None:
        super().__init__()
        self.encoder, self.stem = nn.Conv2d(32, 32, 3), nn.Conv2d(channels * shuffle**2, 32, 3)
        self.unshuffle = nn.PixelUnshuffle(shuffle)

    def forward(self, image: Tensor) -> Tensor:
        return self.encoder(self.stem(self.unshuffle(image)))


@pytest.mark.parametrize("shuffle", [1, 2])
@pytest.mark.parametrize("channels", [3, 1, 4, 6])
def test_the_convolution_that_sees_the_image_decides(channels: int, shuffle: int) -> None:
    assert input_channels_of(EncoderFirst(channels, shuffle)) == channels


def test_an_unusual_number_is_that_of_a_convolution() -> None:
    assert input_channels_of(EncoderFirst(31)) == 31


class Stereo(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.eye = nn.Conv2d(3, 3, 3)

    def forward(self, pair: Tensor) -> Tensor:
        left, right = pair[:, :3], pair[:, 3:]
        return self.eye(left) + self.eye(right)


def test_a_stereo_pair_has_six() -> None:
    assert input_channels_of(Stereo()) == 6


class Elementwise(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image * 2


def test_a_network_that_takes_any_number_gets_three() -> None:
    assert input_channels_of(Elementwise()) == 3


class WithNoise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.late, self.early = nn.Conv2d(8, 3, 1), nn.Conv2d(2, 8, 1)

    def forward(self, image: Tensor, noise: Tensor) -> Tensor:
        return self.late(self.early(torch.cat([image, noise], 1)))


def test_inputs_beside_the_image_are_given() -> None:
    assert input_channels_of(WithNoise(), [ExtraInput("noise")]) == 1


class ReadsValues(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(5, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.stem(image) * float(image.mean())


def test_where_shapes_tell_nothing_it_is_the_first_convolutions() -> None:
    assert input_channels_of(ReadsValues()) == 5


def test_a_refusal_names_the_option() -> None:
    with pytest.raises(CaptureError, match=r"an image of 32 channels and 48x48 pixels: .*--input-channels"):
        probe_size_requirements(SizeProbe(EncoderFirst(3).eval(), NetworkInputs(32)))
