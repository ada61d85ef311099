"""The eager localiser is the network run on the window around every pixel, and an attention loop over its windows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.attention_oracle import attention_in_windows
from tests.oracles.eager_localiser import EagerLocaliser
from tests.oracles.pixel_axes import image_axes, joined, layout_of, reshaped, rolled
from tests.passes.localize.crop_oracle import cropped
from tests.passes.localize.squeeze_networks import CHANNELS, ONE_WINDOW_NETWORKS

TRAIN_SIZE, WINDOW = (4, 3), (6, 4)
SIZES = [(9, 7), (6, 4), (13, 5), (3, 9), (2, 3)]
ROUNDING = 1e-8
"""Constants the toy networks make in float32 are in float64 here."""


@pytest.mark.parametrize("architecture", ONE_WINDOW_NETWORKS, ids=lambda architecture: architecture.__name__)
def test_statistics_are_those_of_the_crop_around_every_pixel(architecture: type[nn.Module]) -> None:
    torch.manual_seed(1)
    network = architecture().double().eval()
    localiser = EagerLocaliser(network, TRAIN_SIZE)
    for height, width in SIZES:
        image = torch.randn(2, CHANNELS, height, width, dtype=torch.float64) + 3
        expected = cropped(network, image, WINDOW)
        assert (localiser(image) - expected).abs().max() <= ROUNDING * expected.abs().max()
    assert localiser.local and not localiser.left_global


class TransposedAttention(nn.Module):
    """Queries and keys normalised over pixels, one matrix of channels per head (Restormer, CVPR 2022)."""

    heads = 2

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor([[[0.7]], [[1.9]]]))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        q, k, v = (
            part.reshape(batch, self.heads, -1, height * width) for part in (x, x.flip(1) ** 2, x.sin())
        )
        q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        mixing = (q @ k.transpose(-2, -1) * self.temperature).softmax(dim=-1)
        return (mixing @ v).reshape(batch, channels, height, width)


@pytest.mark.parametrize("size", [(9, 7), (6, 4), (7, 13), (20, 3)])
def test_attention_is_the_published_loop_over_windows(size: tuple[int, int]) -> None:
    x = torch.randn(2, CHANNELS, *size, dtype=torch.float64)
    network = TransposedAttention().double()
    factors = network.temperature.detach().numpy()
    expected = attention_in_windows(x, x.flip(1) ** 2, x.sin(), factors, network.heads, WINDOW)
    computed = EagerLocaliser(network, TRAIN_SIZE)(x)
    assert (computed - torch.from_numpy(expected)).abs().max() < 1e-12


class TwoGates(nn.Module):
    """The second mean is of pixels that went through a ReLU behind the first gate: a statistic of its own."""

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(x * x.mean((2, 3), keepdim=True))
        return x - x.mean((2, 3), keepdim=True)


def test_a_statistic_behind_another_operation_is_taken_of_the_local_result() -> None:
    x = torch.randn(1, CHANNELS, 9, 7, dtype=torch.float64)
    gated = torch.relu(x * cropped(_Mean(), x, WINDOW))
    expected = gated - cropped(_Mean(), gated, WINDOW)
    assert (EagerLocaliser(TwoGates(), TRAIN_SIZE)(x) - expected).abs().max() < 1e-12


class _Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True).expand_as(x)


class ReturnedMean(nn.Module):
    """Used where no pixels are: the network multiplies a spectrum with it."""

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x)
        return torch.fft.irfft2(spectrum * x.mean((2, 3), keepdim=True), s=x.shape[2:])


def test_a_statistic_that_meets_no_pixels_stays_global() -> None:
    x = torch.randn(1, CHANNELS, 9, 7, dtype=torch.float64)
    localiser = EagerLocaliser(ReturnedMean(), TRAIN_SIZE)
    assert (localiser(x) - ReturnedMean()(x)).abs().max() < 1e-12
    assert not localiser.local
    assert list(localiser.left_global) == [0]


class MeanOfASpectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.fft.fft2(x).abs().mean((2, 3), keepdim=True)


def test_frequencies_are_no_pixels() -> None:
    x = torch.randn(1, CHANNELS, 9, 7, dtype=torch.float64)
    localiser = EagerLocaliser(MeanOfASpectrum(), TRAIN_SIZE)
    assert (localiser(x) - MeanOfASpectrum()(x)).abs().max() < 1e-12
    assert not localiser.local


class WrittenIntoLater(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x * 1
        gate = y.mean((2, 3), keepdim=True)
        y += 5
        return y * gate


def test_a_map_that_is_overwritten_after_its_statistic_was_taken_keeps_it() -> None:
    x = torch.randn(1, CHANNELS, 9, 7, dtype=torch.float64)
    expected = cropped(WrittenIntoLater(), x, WINDOW)
    assert (EagerLocaliser(WrittenIntoLater(), TRAIN_SIZE)(x) - expected).abs().max() < 1e-12


def test_windows_put_together_again_are_the_map_they_were_cut_from() -> None:
    axes = image_axes((2, 3, 8, 12))
    cut = reshaped(axes, (2, 3, 2, 4, 3, 4))
    moved = tuple(cut[axis] for axis in (0, 2, 4, 3, 5, 1))
    windows = reshaped(moved, (12, 16, 3))
    assert layout_of(windows) is None
    back = reshaped(windows, (2, 2, 3, 4, 4, 3))
    together = reshaped(tuple(back[axis] for axis in (0, 1, 3, 2, 4, 5)), (2, 8, 12, 3))
    found = layout_of(together)
    assert found is not None and (found.axes, found.height, found.width) == ((1, 2), 8, 12)


def test_an_axis_rolled_is_no_map_until_it_is_rolled_back() -> None:
    axes = rolled(image_axes((1, 3, 8, 12)), (2, 3), (-2, -3))
    assert layout_of(axes) is None
    assert layout_of(rolled(axes, (2, 3), (2, 3))) == layout_of(image_axes((1, 3, 8, 12)))


def test_rows_and_columns_in_another_order_are_no_halves_of_one_axis() -> None:
    (height,) = reshaped(image_axes((1, 3, 8, 12)), (1, 3, 2, 4, 12))[2:3]
    (rest,) = reshaped(image_axes((1, 3, 8, 12)), (1, 3, 2, 4, 12))[3:4]
    assert joined((*height, *rest)) == (("H", 8),)
    assert joined((*rest, *height)) != (("H", 8),)
