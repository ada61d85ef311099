"""What is said of a photograph, against the two networks computed by hand, window by window, in float64."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tlcconvert
from tlcconvert import Conversion
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.report.photograph import Photograph
from tlcconvert.report.restored import Restored, restored
from tlcconvert.verification.cost_of_a_run import CostChange, CostOfARun

WINDOW = 12
TRAIN = 8


class Gated(nn.Module):
    """x * mean(x): every number of it can be worked out by hand."""

    def forward(self, image: Tensor) -> Tensor:
        return image * image.mean((2, 3), keepdim=True)


class WithoutStatistics(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image * 0.5


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(3)

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(image) * 0.1 + 0.5


class OfManyChannels(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(inputs, outputs, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.layer(image)


def converted(network: nn.Module, **options: Any) -> Conversion:
    torch.manual_seed(0)
    return tlcconvert.convert(network.eval(), TRAIN, verify_sizes=[(16, 17)], **options)


@pytest.fixture(scope="module")
def gated() -> Conversion:
    return converted(Gated(), input_channels=3)


def photograph(height: int = 20, width: int = 23) -> Photograph:
    random = np.random.default_rng(1)
    slope = np.linspace(0.1, 0.9, width, dtype=np.float32)[None, :, None]
    pixels = (random.random((height, width, 3), np.float32) * 0.2 + 0.8) * slope
    values = (65535 * pixels).round().astype(np.uint16)
    return Photograph("a photograph", "00", (height, width), values)


def local_means(image: np.ndarray) -> np.ndarray:
    """Of every pixel's window of an image [H, W, C]."""
    height, width, _ = image.shape
    means = np.empty_like(image)
    for row in range(height):
        for column in range(width):
            top = min(max(row - (WINDOW - 1) // 2, 0), height - WINDOW)
            left = min(max(column - (WINDOW - 1) // 2, 0), width - WINDOW)
            means[row, column] = image[top : top + WINDOW, left : left + WINDOW].mean((0, 1))
    return means


@pytest.fixture(scope="module")
def shown(gated: Conversion) -> Restored:
    return restored(photograph(), gated)


def test_the_change_is_that_of_the_two_networks(shown: Restored) -> None:
    image = photograph().colours.astype(np.float64)
    change = image * (local_means(image) - image.mean((0, 1)))
    seen = shown.seen
    assert seen["failed"] == ""
    assert seen["change_db"] == pytest.approx(20 * math.log10(math.sqrt((change**2).mean())), abs=1e-3)
    largest = np.abs(change).max(2)
    assert seen["largest_change"] == pytest.approx(largest.max(), rel=1e-4)
    assert seen["visible_share"] == pytest.approx((largest > 0.5 / 255).mean(), abs=0.01)
    assert shown.difference is not None
    np.testing.assert_allclose(shown.difference, largest, atol=1e-6)


def test_the_pictures_are_what_the_networks_return(shown: Restored) -> None:
    image = photograph().colours.astype(np.float64)
    for picture, expected in (
        (shown.photograph, image),
        (shown.original, image * image.mean((0, 1))),
        (shown.converted, image * local_means(image)),
    ):
        assert picture is not None
        assert np.abs(picture - 255 * expected).max() <= 0.51


def test_a_shift_is_local_minus_global_over_the_global_statistic(shown: Restored) -> None:
    image = photograph().colours.astype(np.float64)
    whole = image.mean((0, 1))
    expected = np.sqrt(((local_means(image) - whole) ** 2).sum(2) / (whole**2).sum())
    (shift,) = shown.shifts
    np.testing.assert_allclose(shift.map, expected, atol=1e-5)
    assert shift.shift == pytest.approx(math.sqrt((expected**2).mean()), rel=1e-4)
    assert shift.largest == pytest.approx(expected.max(), rel=1e-4)
    assert shift.window == (WINDOW, WINDOW) and shift.operator == "local_mean"
    assert "test_restored.py" in shift.where
    assert shown.seen["statistics"][0]["shift"] == shift.shift


def test_an_image_inside_the_window_does_not_change(gated: Conversion) -> None:
    seen = restored(photograph(WINDOW, WINDOW - 1), gated).seen
    assert seen["largest_change"] <= 1e-6 and seen["visible_share"] == 0
    assert seen["statistics"][0]["largest_shift"] <= 1e-6


def test_a_network_without_statistics_changes_nothing() -> None:
    seen = restored(photograph(), converted(WithoutStatistics(), input_channels=3)).seen
    assert seen["change_db"] is None and seen["statistics"] == []


def test_a_norm_is_compared_after_it_was_applied() -> None:
    shown = restored(photograph(), converted(Normed(), input_channels=3))
    (shift,) = shown.shifts
    image = photograph().colours.astype(np.float64)
    whole = (image - image.mean((0, 1))) / np.sqrt(image.var((0, 1)) + 1e-5)
    spread = np.sqrt(np.maximum(local_means(image**2) - local_means(image) ** 2, 0) + 1e-5)
    local = (image - local_means(image)) / spread
    expected = np.sqrt(((local - whole) ** 2).sum(2)) / math.sqrt((whole**2).sum(2).mean())
    np.testing.assert_allclose(shift.map, expected, atol=1e-4)


def test_statistics_on_a_grid_are_compared_at_every_pixel() -> None:
    fast = converted(Gated(), input_channels=3, fast=True, base_ratio=8.0)
    (shift,) = restored(photograph(150, 170), fast).shifts
    assert shift.operator == "grid_mean"
    image = photograph(150, 170).colours.astype(np.float64)
    (output,) = tensors_of(fast.module(torch.from_numpy(image).permute(2, 0, 1)[None].float()))
    means = output[0].permute(1, 2, 0).double().numpy() / image
    whole = image.mean((0, 1))
    expected = np.sqrt(((means - whole) ** 2).sum(2) / (whole**2).sum())
    np.testing.assert_allclose(shift.map, expected, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (13, 400)])
def test_images_of_every_shape_are_run(gated: Conversion, size: tuple[int, int]) -> None:
    shown = restored(photograph(*size), gated)
    assert shown.seen["failed"] == "" and shown.seen["region"] == list(size)
    assert max(shown.shifts[0].map.shape) <= 320


def test_grey_networks_get_the_luminance() -> None:
    shown = restored(photograph(), converted(WithoutStatistics(), input_channels=1))
    luminance = photograph().colours @ np.array([0.299, 0.587, 0.114])
    assert shown.original is not None
    assert np.abs(shown.original[..., 2] - 255 * 0.5 * luminance).max() <= 0.51


def test_four_channels_get_an_opaque_image() -> None:
    shown = restored(photograph(), converted(WithoutStatistics(), input_channels=4))
    assert shown.original is not None and shown.original.shape == (20, 23, 3)


def test_a_network_that_takes_blue_first_gets_it_and_its_range() -> None:
    pixels = tlcconvert.Pixels((-1.0, 1.0), "BGR")
    conversion = converted(Tinted(), input_channels=3, pixels=pixels)
    shown = restored(photograph(), conversion)
    expected = photograph().colours
    expected[..., 2] = (0.5 * (2 * expected[..., 2] - 1) + 1) / 2
    assert shown.original is not None
    assert np.abs(shown.original - 255 * expected).max() <= 0.51


class Tinted(nn.Module):
    """Halves the first channel."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([0.5, 1.0, 1.0])[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        return image * self.factor


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"), [(6, 3, "takes 6 channels"), (3, 7, "no output is a picture")]
)
def test_what_has_no_picture_is_said(inputs: int, outputs: int, words: str) -> None:
    assert words in restored(photograph(), converted(OfManyChannels(inputs, outputs))).seen["failed"]


def test_a_network_that_takes_more_than_an_image_is_said() -> None:
    class WithMap(nn.Module):
        def forward(self, image: Tensor, level: Tensor) -> Tensor:
            return image * level

    extra = tlcconvert.ExtraInput("level", (1, 1, 1))
    conversion = tlcconvert.convert(
        WithMap().eval(),
        input_channels=3,
        extra_inputs=[extra],
        localize_statistics=False,
        verify_sizes=[(8, 9)],
    )
    assert "inputs beside the image" in restored(photograph(), conversion).seen["failed"]


def test_a_run_that_fails_is_named_and_nothing_is_raised(gated: Conversion) -> None:
    class Fails(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            raise RuntimeError("no kernel\nfor this")

    seen = restored(photograph(), replace(gated, original=Fails())).seen
    assert seen["failed"] == "RuntimeError: no kernel"
    assert "region" not in seen


def test_without_padding_the_largest_part_that_the_file_takes_is_run() -> None:
    class OfMultiples(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            halves = image.unflatten(2, (-1, 4)).flatten(2, 3)
            return halves * halves.mean((2, 3), keepdim=True)

    conversion = converted(OfMultiples(), input_channels=3, size_wrapper=False)
    assert int(conversion.metadata["size_multiple"]) == 4
    shown = restored(photograph(22, 27), conversion)
    assert (shown.seen["region"], shown.seen["region_at"]) == ([20, 24], [1, 1])
    assert "smaller than the file takes" in restored(photograph(3, 27), conversion).seen["failed"]


@pytest.mark.parametrize("dear", [{"multiply_adds": 10**12}, {"feature_map_bytes": 2 * 10**9}])
def test_of_a_dear_network_the_middle_is_run(gated: Conversion, dear: dict[str, int]) -> None:
    free = {"height": 10, "width": 10, "multiply_adds": 0, "feature_map_bytes": 0, "weights": 0}
    cost = CostChange(CostOfARun(**free), CostOfARun(**{**free, **dear}))
    seen = restored(photograph(), replace(gated, cost=cost)).seen
    height, width = seen["region"]
    assert height * width <= 100 and height * width > 70
    assert seen["size"] == [20, 23] and seen["region_at"] == [(20 - height) // 2, (23 - width) // 2]
