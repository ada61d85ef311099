"""The blocks are what they say: both forms of ECBSR's authors compute what the block with padded input does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.blocks import DiverseBranchBlock, ECBComposingItsKernel, ECBFillingBorders
from benchmarks.folding.subjects import with_generic_statistics
from tlcconvert.architectures.ecbsr.network import ECB


@pytest.mark.parametrize("form", [ECBFillingBorders, ECBComposingItsKernel])
@torch.no_grad()
def test_every_form_of_an_ecb_computes_the_same(form: type[ECB]) -> None:
    torch.manual_seed(0)
    block, other = ECB(4, 4, 2, True).double(), form(4, 4, 2, True).double()
    for filters in (block.conv1x1_sbx, block.conv1x1_sby, block.conv1x1_lpl):
        nn.init.normal_(filters.scale)
    other.load_state_dict(block.state_dict())
    x = torch.randn(2, 4, 5, 7, dtype=torch.float64)
    assert torch.allclose(other(x), block(x), rtol=0, atol=1e-12)


@torch.no_grad()
def test_dbb_is_one_3x3_convolution_of_the_zero_padded_input() -> None:
    """An affine map of shifts within one pixel: its impulse response, plus its answer to nothing, is all of it."""
    torch.manual_seed(0)
    block = with_generic_statistics(DiverseBranchBlock(3)).double().eval()
    nothing = block(torch.zeros(1, 3, 5, 5, dtype=torch.float64))
    bias = nothing[0, :, 2, 2]
    assert torch.allclose(nothing, bias.view(1, -1, 1, 1).expand_as(nothing), rtol=0, atol=1e-12)
    impulses = torch.zeros(3, 3, 3, 3, dtype=torch.float64)
    impulses[range(3), range(3), 1, 1] = 1.0
    weight = (block(impulses) - bias.view(1, -1, 1, 1)).permute(1, 0, 2, 3).flip(2, 3)
    x = torch.randn(1, 3, 4, 6, dtype=torch.float64)
    assert torch.allclose(block(x), nn.functional.conv2d(x, weight, bias, padding=1), rtol=0, atol=1e-12)
