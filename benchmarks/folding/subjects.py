"""The blocks and networks whose branches are to be folded, with 16 channels and generic weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from spandrel import ModelLoader
from torch import nn

from benchmarks.blocks import (
    ACBlock,
    DiverseBranchBlock,
    ECBComposingItsKernel,
    ECBFillingBorders,
    MobileOneBlock,
)
from tlcconvert.architectures import register
from tlcconvert.architectures.ecbsr.network import ECB, ECBSR
from tlcconvert.architectures.repsr.network import RepSRBlock
from tlcconvert.architectures.repvgg_sr.network import RepVGGBlock
from tlcconvert.architectures.sesr.network import SESR, ResidualCollapsibleLinearBlock

CHECKPOINT = Path(__file__).parents[2] / "samples" / "repsr.pth"
CHANNELS = 16


@dataclass(frozen=True)
class Subject:
    """A network of images with ``input_channels`` channels, in the form it is trained in."""

    name: str
    input_channels: int
    build: Callable[[], nn.Module]

    def network(self) -> nn.Module:
        """The network in eval mode, the same on every call."""
        torch.manual_seed(0)
        return with_generic_statistics(self.build()).eval()


def with_generic_statistics(module: nn.Module) -> nn.Module:
    """Gives untrained batch norms statistics, scales and shifts that a wrong fold cannot survive."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.num_batches_tracked == 0:
            assert norm.running_mean is not None and norm.running_var is not None
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias)
    return module


def trained_repsr() -> nn.Module:
    register()
    return ModelLoader("cpu").load_from_file(CHECKPOINT).model


def sesr_block() -> nn.Module:
    return ResidualCollapsibleLinearBlock(CHANNELS, CHANNELS, 256, 5, nn.Identity())


SUBJECTS = (
    Subject("RepSR block", CHANNELS, lambda: RepSRBlock(CHANNELS)),
    Subject("ECB, authors' training code", CHANNELS, lambda: ECBFillingBorders(CHANNELS, CHANNELS, 2, True)),
    Subject(
        "ECB, authors' inference code", CHANNELS, lambda: ECBComposingItsKernel(CHANNELS, CHANNELS, 2, True)
    ),
    Subject("ECB, input padded instead", CHANNELS, lambda: ECB(CHANNELS, CHANNELS, 2, True)),
    Subject("RepVGG block", CHANNELS, lambda: RepVGGBlock(CHANNELS)),
    Subject("DBB", CHANNELS, lambda: DiverseBranchBlock(CHANNELS)),
    Subject("SESR block, 5x5 through 256 channels", CHANNELS, sesr_block),
    Subject("ACNet block", CHANNELS, lambda: ACBlock(CHANNELS)),
    Subject("MobileOne block, 4 branches", CHANNELS, lambda: MobileOneBlock(CHANNELS)),
    Subject("RepSR x2, 4 blocks, trained", 3, trained_repsr),
    Subject("ECBSR x2, 4 blocks", 1, ECBSR),
    Subject("SESR x2, 5 blocks", 3, SESR),
)
