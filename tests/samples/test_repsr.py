"""The committed RepSR, and the training that made it."""

from __future__ import annotations

import compare_folding
import pytest
import torch
import torch.nn.functional as F
from photographs import halved, held_out_photographs, psnr
from spandrel import ModelLoader
from train_repsr import FIRST_LEARNING_RATE, LAST_LEARNING_RATE, Training, learning_rate

from passes.program import runnable
from tlcconvert.architectures import register
from tlcconvert.architectures.repsr import RepSR
from tlcconvert.pipeline import FOLD, SIMPLIFY, run_steps


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    register()
    return ModelLoader("cpu").load_from_file(compare_folding.CHECKPOINT).model.eval()


def test_the_checkpoint_is_a_small_plain_state_dict_of_a_repsr() -> None:
    register()
    state = torch.load(compare_folding.CHECKPOINT, weights_only=True)
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    assert compare_folding.CHECKPOINT.stat().st_size < 500_000
    descriptor = ModelLoader("cpu").load_from_file(compare_folding.CHECKPOINT)
    assert (descriptor.architecture.id, descriptor.scale) == ("RepSR", 2)


@torch.no_grad()
def test_folding_keeps_one_convolution_per_block_and_the_psnr(network: torch.nn.Module) -> None:
    truth = held_out_photographs()["motorcycle"][None, :, 100:300, 200:500]
    program = compare_folding.captured(network)
    assert compare_folding.convolutions(program) == 2 + 4 * 4
    run_steps(SIMPLIFY + FOLD, program)
    assert compare_folding.convolutions(program) == 2 + 4
    trained, folded = network(halved(truth)), runnable(program)(halved(truth))
    assert psnr(folded, truth) == pytest.approx(psnr(trained, truth), abs=1e-3)
    assert psnr(trained, truth) > psnr(F.interpolate(halved(truth), scale_factor=2, mode="bicubic"), truth)


def test_the_learning_rate_falls_from_the_first_to_the_last() -> None:
    rates = [learning_rate(done / 10) for done in range(11)]
    assert rates[0] == pytest.approx(FIRST_LEARNING_RATE)
    assert rates[-1] == pytest.approx(LAST_LEARNING_RATE)
    assert rates == sorted(rates, reverse=True)


def test_training_steps_bring_the_network_closer_to_the_photograph() -> None:
    torch.manual_seed(0)
    network = RepSR(channels=4, blocks=1).train()
    optimizer = torch.optim.Adam(network.parameters())
    training = Training(network, optimizer, torch.Generator().manual_seed(0), [torch.rand(3, 64, 64)])
    qualities = [psnr(*training.step()) for _ in range(8)]
    assert qualities[-1] > qualities[0]
    assert training.steps_done == 8
