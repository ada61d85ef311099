"""The networks whose conversion is timed, with random weights: what counts is how many operations they have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from tlcconvert.architectures.hinet.network import HINet


@dataclass(frozen=True)
class Subject:
    """A network [N, 3, H, W] -> image or images; ``example`` is the height and width both exports trace at."""

    name: str
    build: Callable[[], nn.Module]
    example: tuple[int, int] = (48, 80)
    output_index: int | None = None

    def network(self) -> nn.Module:
        torch.manual_seed(0)
        network = self.build()
        for parameter in network.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.1)
        return network.eval().requires_grad_(False)


def nafnet() -> nn.Module:
    from spandrel.architectures.NAFNet import NAFNet

    return NAFNet(width=32, middle_blk_num=1, enc_blk_nums=[1, 1, 1, 28], dec_blk_nums=[1, 1, 1, 1])


def rcan() -> nn.Module:
    from spandrel.architectures.RCAN import RCAN

    return RCAN(n_feats=16, n_resgroups=5, n_resblocks=10, scale=2, reduction=4)


def restormer() -> nn.Module:
    from spandrel_extra_arches.architectures.Restormer import Restormer

    return Restormer(dim=8, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, heads=[1, 2, 2, 4])


SUBJECTS = (
    Subject("RCAN, 5 groups of 10 blocks", rcan),
    Subject("HINet, published depth, 16 channels", lambda: HINet(channels=16), output_index=-1),
    Subject("Restormer, one block a stage", restormer),
    Subject("NAFNet-32, 36 blocks", nafnet),
)
