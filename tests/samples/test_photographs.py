from __future__ import annotations

import pytest
import torch
from photographs import HELD_OUT, TRAINING, halved, held_out_photographs, psnr, random_crops
from photographs import training_photographs as load_training_photographs


@pytest.fixture(scope="module")
def training_photographs() -> list[torch.Tensor]:
    return load_training_photographs()


def test_every_photograph_is_rgb_in_0_to_1(training_photographs: list[torch.Tensor]) -> None:
    for photograph in [*training_photographs, *held_out_photographs().values()]:
        assert photograph.shape[0] == 3
        assert photograph.dtype is torch.float32
        assert 0 <= photograph.min() < photograph.max() <= 1


def test_no_held_out_photograph_is_trained_on(training_photographs: list[torch.Tensor]) -> None:
    assert not HELD_OUT.keys() & TRAINING.keys()
    for held_out in held_out_photographs().values():
        assert not any(
            held_out.shape == photograph.shape and torch.equal(held_out, photograph)
            for photograph in training_photographs
        )


def test_a_crop_is_a_piece_of_its_photograph_flipped_or_turned() -> None:
    pixels = torch.arange(3 * 4 * 5.0).view(3, 4, 5)
    pieces = [
        pixels[:, top : top + 2, left : left + 2].rot90(turns, (1, 2)).flip(flips)
        for top in range(3)
        for left in range(4)
        for turns in range(4)
        for flips in ((), (2,))
    ]
    crops = random_crops([pixels], 2, 200, torch.Generator().manual_seed(0))
    assert all(any(torch.equal(crop, piece) for piece in pieces) for crop in crops)
    assert {int(crop.min()) for crop in crops} == {5 * top + left for top in range(3) for left in range(4)}


def test_the_same_seed_draws_the_same_crops(training_photographs: list[torch.Tensor]) -> None:
    first, second = (
        random_crops(training_photographs, 8, 5, torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(first, second)


def test_a_crop_as_large_as_the_photograph_is_the_whole_of_it() -> None:
    crops = random_crops([torch.rand(3, 6, 6)], 6, 3, torch.Generator().manual_seed(0))
    assert crops.shape == (3, 3, 6, 6)


def test_psnr_of_an_error_of_one_tenth_is_20_db() -> None:
    truth = torch.full((3, 4, 5), 0.5)
    assert psnr(truth + 0.1, truth) == pytest.approx(20, abs=1e-4)


def test_psnr_does_not_count_what_a_display_would_clip() -> None:
    assert psnr(torch.full((3, 2, 2), 1.7), torch.ones(3, 2, 2)) == pytest.approx(120)


def test_halving_keeps_an_even_surface() -> None:
    small = halved(torch.full((1, 3, 8, 12), 0.25))
    torch.testing.assert_close(small, torch.full((1, 3, 4, 6), 0.25))
