"""timm's re-parameterisable blocks fold as far as timm's own switch folds them, and compute the same.

``reparameterize()`` of each block is an oracle written by others: after it, the block holds as many
convolutions as its authors found possible.
"""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from passes.program import runnable
from tests.passes.fold.blocks import randomise
from tests.passes.fold.programs import capture, convolutions, folded, largest_error
from tlcconvert.pipeline import FOLD, SIMPLIFY, run_steps

timm = pytest.importorskip("timm")
byobnet = pytest.importorskip("timm.models.byobnet")
fastvit = pytest.importorskip("timm.models.fastvit")

BLOCKS = {
    "RepVGG": lambda: byobnet.RepVggBlock(8, 8),
    "RepVGG, strided": lambda: byobnet.RepVggBlock(8, 16, stride=2),
    "RepVGG, grouped": lambda: byobnet.RepVggBlock(8, 8, group_size=4),
    "MobileOne": lambda: byobnet.MobileOneBlock(8, 8, num_conv_branches=2),
    "MobileOne, depthwise": lambda: byobnet.MobileOneBlock(8, 8, group_size=1, num_conv_branches=4),
    "FastViT MobileOne": lambda: fastvit.MobileOneBlock(8, 16, 3, stride=2, group_size=1),
    "FastViT RepMixer": lambda: fastvit.RepMixer(8, 3),
    "FastViT large kernel": lambda: fastvit.ReparamLargeKernelConv(8, 8, 7, 1, 1, small_kernel=3),
    "FastViT position encoding": lambda: fastvit.RepConditionalPosEnc(8, 8),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_block_folds_as_far_as_its_own_switch_does(name: str) -> None:
    block = randomise(BLOCKS[name]())
    work = folded(block, channels=8)
    switched = copy.deepcopy(block)
    for module in list(switched.modules()):
        if hasattr(module, "reparameterize"):
            module.reparameterize()
    assert len(work.convolutions()) <= len(convolutions(capture(switched, 8)))
    sizes = ((4, 5), (8, 11))
    assert largest_error(work, 8, sizes) <= 1e-5
    x = torch.randn(2, 8, 9, 10)
    with torch.no_grad():
        assert float((switched(x) - block(x)).abs().max()) <= 1e-4 * float(block(x).abs().max())


@pytest.mark.full
@pytest.mark.parametrize("name", ["repvgg_a0", "mobileone_s0", "fastvit_t8"])
def test_network_folds_as_far_as_its_own_switch_does(name: str) -> None:
    network = randomised_norms(timm.create_model(name, pretrained=False, num_classes=10).eval())
    x = torch.randn(2, 3, 64, 64)
    program = torch.export.export(network, (x,)).run_decompositions({})
    before = len(convolutions(program))
    run_steps(SIMPLIFY + FOLD, program)
    switched = timm.utils.model.reparameterize_model(network)
    after = len(convolutions(program))
    assert after < before
    assert after <= len(convolutions(torch.export.export(switched, (x,)).run_decompositions({})))
    with torch.no_grad():
        expected, actual = network(x), runnable(program)(x)
    assert float((actual - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def randomised_norms(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(0.1 * torch.randn(module.num_features, generator=generator))
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
    return network
