"""Every published re-parameterisable block becomes one convolution: the one its own paper fuses it into."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from passes.program import state
from tests.passes.fold.blocks import (
    ACBlock,
    ComposedECBlock,
    DBBlock,
    ECBlock,
    MobileOneBlock,
    RepSRBlock,
    RepVGGBlock,
    SESRBlock,
    randomise,
)
from tests.passes.fold.programs import Folded, folded, largest_error, operations

BLOCKS = {
    "RepSR": lambda: RepSRBlock(4),
    "SESR": lambda: SESRBlock(4),
    "RepVGG": lambda: RepVGGBlock(4),
    "RepVGG, two groups": lambda: RepVGGBlock(4, groups=2),
    "ACNet": lambda: ACBlock(4),
    "MobileOne": lambda: MobileOneBlock(4),
    "MobileOne, depthwise": lambda: MobileOneBlock(4, groups=4),
    "ECB in training form": lambda: ECBlock(4),
    "ECB composing its kernel": lambda: ComposedECBlock(4),
    "DBB": lambda: DBBlock(4),
}


@pytest.fixture(params=BLOCKS, scope="module")
def block(request: pytest.FixtureRequest) -> Folded:
    return folded(randomise(BLOCKS[request.param]()))


def test_block_becomes_one_convolution(block: Folded) -> None:
    assert operations(block.program) == ["aten.conv2d.default"]


def test_block_equals_eager_on_tiny_odd_and_ordinary_images(block: Folded) -> None:
    assert largest_error(block) <= 1e-5


def test_region_equals_its_kernel_in_float64(block: Folded) -> None:
    notes = " ".join(rewrite.note for rewrite in block.result.rewrites)
    errors = [float(found) for found in re.findall(r"float64 error (\S+?)(?:,| |$)", notes)]
    if not isinstance(block.module, ComposedECBlock):
        assert errors
    assert all(error <= 1e-12 for error in errors)


def test_kernel_is_the_one_of_the_published_fusion(block: Folded) -> None:
    weight, bias = block.module.fused()
    (node,) = block.convolutions()
    tensors = state(block.program)
    for found, published in zip(node.args[1:3], (weight, bias), strict=True):
        difference = (tensors[found.name].double() - published).abs().max() / published.abs().max()
        assert difference <= 1e-6


def test_result_keeps_its_place_in_the_source() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = RepVGGBlock(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x).relu()

    work = folded(randomise(Network()))
    (node,) = work.convolutions()
    assert node.meta["nn_module_stack"]
    assert "blocks.py" in node.meta["stack_trace"]
    (report,) = [rewrite for rewrite in work.result.rewrites if rewrite.kind == "affine region"]
    assert report.where.startswith("head (blocks.py:")
    assert report.before == "2 convolutions, 160 MACs per pixel"
    assert report.after == "1 convolution, 144 MACs per pixel"
