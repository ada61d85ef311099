"""Each network computes what its paper defines, checked against the definition written out in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tlcconvert.architectures.ecbsr import ECB, ECBSR
from tlcconvert.architectures.hinet import HINet
from tlcconvert.architectures.hinet.network import ConvolutionBlock
from tlcconvert.architectures.repsr import RepSR, RepSRBlock
from tlcconvert.architectures.repvgg_sr import RepVGGBlock
from tlcconvert.architectures.sesr import SESR, ResidualCollapsibleLinearBlock

CHANNELS = 4


def trained(module: nn.Module) -> nn.Module:
    """``module`` in float64 eval mode with the kind of batch-norm statistics training leaves."""
    generator = torch.Generator().manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            nn.init.normal_(layer.weight, generator=generator)
            nn.init.normal_(layer.bias, generator=generator)
    return module.double().eval()


def repvgg_before_activation() -> Callable[[torch.Tensor], torch.Tensor]:
    block = trained(RepVGGBlock(CHANNELS))
    return lambda x: block.rbr_dense(x) + block.rbr_1x1(x) + block.rbr_identity(x)


AFFINE_BLOCKS = {
    "RepSR": lambda: trained(RepSRBlock(CHANNELS)),
    "ECB": lambda: trained(ECB(CHANNELS, CHANNELS, 2.0, identity=False)),
    "ECB with identity": lambda: trained(ECB(CHANNELS, CHANNELS, 2.0, identity=True)),
    "SESR": lambda: trained(ResidualCollapsibleLinearBlock(CHANNELS, CHANNELS, 32, 3, nn.Identity())),
    "RepVGG": repvgg_before_activation,
}


@pytest.mark.parametrize("name", AFFINE_BLOCKS)
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 6)])
@torch.no_grad()
def test_a_block_is_one_zero_padded_3x3_convolution_border_included(name: str, size: tuple[int, int]) -> None:
    block = AFFINE_BLOCKS[name]()
    bias = block(torch.zeros(1, CHANNELS, 3, 3, dtype=torch.float64))[0, :, 1, 1]
    impulses = torch.zeros(CHANNELS, CHANNELS, 5, 5, dtype=torch.float64)
    impulses[:, :, 2, 2] = torch.eye(CHANNELS)
    responses = block(impulses) - bias[:, None, None]
    kernel = responses[:, :, 1:4, 1:4].flip(2, 3).transpose(0, 1)

    x = torch.randn(2, CHANNELS, *size, dtype=torch.float64)
    torch.testing.assert_close(block(x), F.conv2d(x, kernel, bias, padding=1), rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_an_ecb_branch_borders_its_pointwise_features_with_their_bias() -> None:
    branch = trained(ECB(CHANNELS, CHANNELS, 2.0, identity=False)).conv1x1_3x3
    x = torch.randn(2, CHANNELS, 5, 3, dtype=torch.float64)
    bordered = branch.b0.view(1, -1, 1, 1).repeat(2, 1, 7, 5)
    bordered[:, :, 1:-1, 1:-1] = F.conv2d(x, branch.k0, branch.b0)
    torch.testing.assert_close(branch(x), F.conv2d(bordered, branch.k1, branch.b1))


@torch.no_grad()
def test_an_ecb_differentiates_a_ramp() -> None:
    block = trained(ECB(1, 1, 2.0, identity=False))
    ramp = torch.arange(5, dtype=torch.float64).repeat(5, 1)
    for branch, image, slope in (
        (block.conv1x1_sbx, ramp, -8.0),
        (block.conv1x1_sby, ramp.T, -8.0),
        (block.conv1x1_lpl, ramp.square(), 2.0),
    ):
        branch.k0.fill_(1)
        branch.b0.zero_()
        branch.scale.fill_(1)
        branch.bias.zero_()
        assert branch(image[None, None])[0, 0, 2, 2] == slope


@torch.no_grad()
def test_hinet_normalises_the_first_half_of_the_channels_only() -> None:
    block = ConvolutionBlock(2, 4, normalized=True).double().eval()
    block.norm.weight.copy_(torch.tensor([2.0, 3.0]))
    block.norm.bias.copy_(torch.tensor([0.5, -0.5]))
    x = torch.randn(2, 2, 5, 7, dtype=torch.float64)
    y = F.conv2d(x, block.conv_1.weight, block.conv_1.bias, padding=1)
    for n in range(2):
        for c in range(2):
            plane = y[n, c]
            deviation = ((plane - plane.mean()).square().mean() + 1e-5).sqrt()
            y[n, c] = block.norm.weight[c] * (plane - plane.mean()) / deviation + block.norm.bias[c]
    y = torch.where(y > 0, y, 0.2 * y)
    y = F.conv2d(y, block.conv_2.weight, block.conv_2.bias, padding=1)
    expected = torch.where(y > 0, y, 0.2 * y) + F.conv2d(x, block.identity.weight, block.identity.bias)
    torch.testing.assert_close(block(x), expected)


@torch.no_grad()
def test_hinet_with_silent_last_layers_returns_the_image_twice() -> None:
    network = HINet(channels=4, depth=3).eval()
    for layer in (network.sam12.conv2, network.last):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    image = torch.rand(1, 3, 8, 12)
    first, final = network(image)
    assert torch.equal(first, image)
    assert torch.equal(final, image)


def test_hinet_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        network = HINet()
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == 88.67


def test_a_collapsed_sesr_m5_has_the_published_number_of_weights() -> None:
    network = SESR(colors=1, channels=16, blocks=5, scale=2)
    weights = 0
    for block in (network.conv_first, *network.residual_block, network.conv_last):
        taps = block.conv_expand.weight[0].numel()
        weights += taps * block.conv_squeeze.out_channels
    assert weights == 13_520


@pytest.mark.parametrize("network", [ECBSR(channels=4, blocks=1), SESR(colors=3, channels=4, expanded=8)])
@torch.no_grad()
def test_a_silent_network_repeats_each_pixel(network: ECBSR | SESR) -> None:
    colors = 1 if isinstance(network, ECBSR) else 3
    for parameter in network.parameters():
        parameter.zero_()
    image = torch.rand(2, colors, 3, 5)
    assert torch.equal(network(image), F.interpolate(image, scale_factor=2, mode="nearest"))


def test_frozen_statistics_stay_while_their_scale_is_trained() -> None:
    torch.manual_seed(0)
    network = RepSR(channels=4, blocks=1)
    norm = network.M_block[2].branch1[1]
    images = torch.rand(2, 3, 8, 8)

    network.train()(images)
    moved = norm.running_mean.clone()
    assert not torch.equal(moved, torch.zeros(8))

    network.freeze_statistics()
    network.train()(images).square().mean().backward()
    assert torch.equal(norm.running_mean, moved)
    assert norm.weight.grad.abs().sum() > 0
    assert network.training


def test_with_frozen_statistics_training_computes_what_inference_computes() -> None:
    network = RepSR(channels=4, blocks=1)
    images = torch.rand(2, 3, 8, 8)
    assert not torch.allclose(network.train()(images), network.eval()(images), atol=1e-4)
    network.freeze_statistics()
    assert torch.equal(network.train()(images), network.eval()(images))
