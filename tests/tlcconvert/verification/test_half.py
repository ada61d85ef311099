"""Files in float16 are judged by PSNR of the output's scale, and by a run that rounds every result."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, fx, nn

from tlcconvert.dtype import Dtype
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.verification.half import FILE, ROUNDED, Rounded, compare_half, in_float32
from tlcconvert.verification.images import photograph
from tlcconvert.verification.parity import Comparison

IMAGE = NetworkInputs(3, ())
SIZES = [(1, 96, 128), (2, 9, 7)]


def doubled(image: Tensor) -> Tensor:
    return 2 * image


def off_by(decibels: float, image: Tensor) -> Tensor:
    """``doubled`` with an error of so many dB, half of the pixels too high and half too low."""
    signs = torch.where(torch.arange(image.numel()) % 2 == 0, 1.0, -1.0).reshape(image.shape)
    return doubled(image) + signs * float(doubled(image).abs().max()) * 10 ** (-decibels / 20)


@pytest.mark.parametrize(("decibels", "passes"), [(60.1, True), (59.9, False), (80.0, True)])
def test_sixty_decibels_of_the_scale_pass(decibels: float, passes: bool) -> None:
    parity = compare_half(lambda image: off_by(decibels, image), doubled, doubled, IMAGE, SIZES)
    files = [row for row in parity.comparisons if row.what == FILE]
    assert [(row.batch, row.height, row.width) for row in files] == SIZES
    assert {row.passed for row in files} == {passes}
    assert {row.note for row in files} == {f"{decibels:.1f} dB"}


def test_the_rounded_run_is_judged_at_the_photographs_own_size() -> None:
    parity = compare_half(doubled, lambda image: off_by(50, image), doubled, IMAGE, SIZES)
    (rounded,) = [row for row in parity.comparisons if row.what == ROUNDED]
    assert (rounded.height, rounded.width, rounded.passed) == (96, 128, False)
    assert all(row.note == "inf dB" and row.passed for row in parity.comparisons if row.what == FILE)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_fails(value: float) -> None:
    def broken(image: Tensor) -> Tensor:
        result = doubled(image)
        result[0, 0, 0, 0] = value
        return result

    rows: list[Comparison] = list(compare_half(broken, doubled, doubled, IMAGE, SIZES).comparisons)
    assert not any(row.passed for row in rows if row.what == FILE)


def test_an_image_of_half_precision_is_made_and_its_result_compared_in_float32() -> None:
    seen: list[torch.dtype] = []

    def half(image: Tensor) -> tuple[Tensor]:
        seen.append(image.dtype)
        return (image + image,)

    (result,) = in_float32(half, Dtype.FLOAT16)(torch.rand(1, 3, 2, 2))  # type: ignore[misc]
    assert (seen, result.dtype) == ([torch.float16], torch.float32)


class Mixed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        half = torch.ops.aten._to_copy.default(x, dtype=torch.float16)
        squared = half * half
        first, second = squared.chunk(2, 2)
        return torch.ops.aten._to_copy.default(torch.cat([second, first], 2), dtype=torch.float32) + x


def test_every_result_is_rounded_once() -> None:
    module = fx.symbolic_trace(Mixed())
    (image,) = photograph(IMAGE, 1, 96, 128)
    half = image.half().float()
    squared = (half * half).half().float()
    first, second = squared.chunk(2, 2)
    assert torch.equal(Rounded(module).run(image), torch.cat([second, first], 2) + image)
