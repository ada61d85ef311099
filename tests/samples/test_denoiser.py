"""The committed denoiser, and what the comparison does with it."""

from __future__ import annotations

from pathlib import Path

import compare
import pytest
import torch
from photographs import held_out_photographs, psnr
from spandrel import ModelLoader
from train_denoiser import STRONGEST_NOISE, add_noise

import tlcconvert
from tlcconvert.diagnosis.verdict import Verdict


@pytest.fixture(scope="module")
def original() -> torch.nn.Module:
    return ModelLoader("cpu").load_from_file(compare.CHECKPOINT).model.eval()


def test_the_checkpoint_is_a_small_plain_state_dict_of_a_nafnet() -> None:
    state = torch.load(compare.CHECKPOINT, weights_only=True)
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    assert compare.CHECKPOINT.stat().st_size < 500_000
    assert ModelLoader("cpu").load_from_file(compare.CHECKPOINT).architecture.id == "NAFNet"


@torch.no_grad()
def test_the_denoiser_denoises_a_crop_of_each_strength(original: torch.nn.Module) -> None:
    clean = held_out_photographs()["motorcycle"][None, :, 200:264, 300:364]
    for level in (0.05, 0.1, 0.2):
        noise = level * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        assert psnr(original(clean + noise), clean) > psnr(clean + noise, clean) + 3


@torch.no_grad()
def test_the_converted_denoiser_beats_the_original_and_its_tiles(original: torch.nn.Module) -> None:
    converted = tlcconvert.convert(original, train_size=compare.TRAIN_SIZE).module
    clean = held_out_photographs()["motorcycle"][:, 100:300]
    noisy = compare.with_growing_noise(clean)
    on_windows = psnr(converted(noisy[None])[0], clean)
    assert on_windows > psnr(original(noisy[None])[0], clean) + 0.4
    assert on_windows > psnr(compare.in_tiles(original, noisy), clean)


def test_the_noise_of_training_differs_from_crop_to_crop() -> None:
    clean = torch.zeros(64, 3, 32, 32)
    levels = add_noise(clean, torch.Generator().manual_seed(0)).std(dim=(1, 2, 3))
    assert levels.max() < STRONGEST_NOISE * 1.1
    assert levels.min() < STRONGEST_NOISE * 0.1
    assert levels.std() > STRONGEST_NOISE * 0.2


def test_noise_grows_from_nothing_on_the_left_to_its_strongest_on_the_right() -> None:
    noise = compare.with_growing_noise(torch.zeros(3, 400, 101)).std(dim=(0, 1))
    assert noise[0] == 0
    torch.testing.assert_close(noise, torch.linspace(0, compare.STRONGEST_NOISE, 101), rtol=0.12, atol=1e-9)


@pytest.mark.parametrize("size", [(64, 64), (65, 127), (128, 200)])
def test_tiles_of_a_pixelwise_network_give_the_image_back(size: tuple[int, int]) -> None:
    image = torch.rand(3, *size)
    assert torch.equal(compare.in_tiles(torch.nn.Identity(), image), image)


def test_the_picture_shows_every_output_and_the_difference(tmp_path: Path) -> None:
    images = {name: torch.rand(3, 300, 50) for name in ("clean", "noisy", "original", "tiles", "converted")}
    picture = compare.picture(images)
    assert picture.size == (100, 3 * (compare.BAND_HEIGHT + compare.CAPTION_HEIGHT))
    shown = picture.crop((0, compare.CAPTION_HEIGHT, 50, compare.CAPTION_HEIGHT + compare.BAND_HEIGHT))
    assert shown.tobytes() == compare.middle_band(images["clean"]).tobytes()


def test_the_diagnosis_of_the_denoiser_says_that_it_gains(original: torch.nn.Module) -> None:
    noisy = compare.with_growing_noise(held_out_photographs()["motorcycle"][:, 100:300])
    found = tlcconvert.diagnose(original, noisy, compare.TRAIN_SIZE)
    assert found.verdict is Verdict.LOCAL
    assert found.closer > 6
    assert -40 < found.deviation < -28
    assert all("sca" in site.where for site in found.sites)
