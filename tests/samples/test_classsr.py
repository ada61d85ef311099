"""The committed ClassSR, and the losses that trained it."""

from __future__ import annotations

import classsr_budget
import classsr_picture
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from photographs import halved, held_out_photographs, psnr
from spandrel import ModelLoader
from train_classsr import average_loss, by_difficulty, class_loss

from tlcconvert.architectures import register


def test_the_checkpoint_is_a_small_plain_state_dict_of_a_classsr() -> None:
    register()
    state = torch.load(classsr_budget.CHECKPOINT, weights_only=True)
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    assert classsr_budget.CHECKPOINT.stat().st_size < 1_000_000
    descriptor = ModelLoader("cpu").load_from_file(classsr_budget.CHECKPOINT)
    assert (descriptor.architecture.id, descriptor.scale) == ("ClassSR", 2)


@torch.no_grad()
def test_its_largest_branch_beats_its_smallest_on_a_textured_photograph() -> None:
    register()
    network = ModelLoader("cpu").load_from_file(classsr_budget.CHECKPOINT).model.eval()
    truth = held_out_photographs()["motorcycle"][None, :, 100:300, 200:500]
    bicubic = F.interpolate(halved(truth), scale_factor=2, mode="bicubic")
    smallest, *_, largest = (psnr(branch(halved(truth)), truth) for branch in network.branches)
    assert largest > smallest
    assert largest > psnr(bicubic, truth)


def test_the_class_loss_is_least_where_one_class_is_certain() -> None:
    assert class_loss(torch.eye(3)) == pytest.approx(-2)
    assert class_loss(torch.full((5, 3), 1 / 3)) == pytest.approx(0, abs=1e-6)


def test_the_average_loss_is_zero_where_classes_are_equally_frequent() -> None:
    assert average_loss(torch.eye(3)) == pytest.approx(0, abs=1e-6)
    assert average_loss(torch.tensor([[1.0, 0, 0]] * 6)) == pytest.approx(4 / 3)


def test_shares_go_from_the_patches_easiest_to_interpolate_to_the_hardest() -> None:
    contrast = torch.tensor([1.0, 0.0, 0.5])[:, None, None, None]
    truth = contrast * torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    shares = by_difficulty((halved(truth), truth), 3)
    assert [
        torch.equal(share[1][0], truth[index]) for share, index in zip(shares, (1, 2, 0), strict=True)
    ] == [True] * 3


def test_the_picture_tints_each_patch_by_its_class() -> None:
    picture = classsr_picture.with_class_map(torch.ones(1, 3, 112, 56), np.array([[0], [2]]), step=56)
    easy, hard = picture.getpixel((28, 28)), picture.getpixel((28, 84))
    assert easy[1] > easy[0]
    assert hard[0] > hard[1]
