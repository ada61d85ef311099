"""The networks whose latency is measured, with random weights, and the images they run on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from tlcconvert.architectures.hinet.network import HINet


@dataclass(frozen=True)
class Subject:
    """A network [N, channels, H, W] -> images, trained on crops of ``train_size`` pixels.

    Attributes:
        size: height and width of the timed image.
        note: what was reduced to keep a run short.
        has_prefix_sums: whether its statistics are poolings and norms, which prefix sums make local.
    """

    name: str
    build: Callable[[], nn.Module]
    train_size: int
    size: tuple[int, int]
    note: str = ""
    channels: int = 3
    output_index: int | None = None
    has_prefix_sums: bool = True

    def network(self) -> nn.Module:
        """The network in eval mode, the same on every call; zeroed residual scales are drawn at random."""
        torch.manual_seed(0)
        network = self.build()
        for parameter in network.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.1)
        whole = network if self.output_index is None else OneOutput(network, self.output_index)
        return whole.eval().requires_grad_(False)


class OneOutput(nn.Module):
    """A network reduced to one of its outputs."""

    def __init__(self, network: nn.Module, index: int) -> None:
        super().__init__()
        self.network = network
        self.index = index

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image)[self.index]


class SqueezeBlock(nn.Module):
    """Squeeze and excitation (Hu et al., CVPR 2018): pool, C -> C/4 -> C, sigmoid, multiply."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.excite = nn.Sequential(
            nn.Conv2d(channels, channels // 4, 1),
            nn.ReLU(),
            nn.Conv2d(channels // 4, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.excite(self.pool(x))


def nafnet(width: int, deepest: int) -> nn.Module:
    from spandrel.architectures.NAFNet import NAFNet

    return NAFNet(width=width, middle_blk_num=1, enc_blk_nums=[1, 1, 1, deepest], dec_blk_nums=[1, 1, 1, 1])


def rcan() -> nn.Module:
    from spandrel.architectures.RCAN import RCAN

    return RCAN(n_feats=64, n_resgroups=2, n_resblocks=3, scale=2, reduction=16)


def mprnet() -> nn.Module:
    from spandrel_extra_arches.architectures.MPRNet import MPRNet

    return MPRNet(n_feat=24, scale_unetfeats=12, scale_orsnetfeats=8, num_cab=1)


def restormer() -> nn.Module:
    from spandrel_extra_arches.architectures.Restormer import Restormer

    return Restormer(dim=48, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1)


SUBJECTS = (
    Subject("NAFNet-32", lambda: nafnet(32, 28), 256, (512, 768)),
    Subject("HINet", lambda: HINet(channels=16), 256, (512, 768), "16 channels of 64", output_index=-1),
    Subject("RCAN x2", rcan, 48, (360, 640), "2 groups of 3 blocks, of 10 of 20"),
    Subject("MPRNet", mprnet, 256, (360, 640), "24, 12 and 8 channels, 1 block of 8", output_index=0),
    Subject("Restormer", restormer, 128, (256, 384), "1 block per level", has_prefix_sums=False),
    Subject("SE block", lambda: SqueezeBlock(32), 256, (720, 1280), "32 channels", channels=32),
)
ABLATED = (
    (
        Subject("small NAFNet-32", lambda: nafnet(32, 1), 256, (512, 768), "1 block per level"),
        ("channel_mean", "split_convolution", "keep_map_sizes"),
    ),
    (SUBJECTS[4], ("whole_channel_blocks", "split_convolution")),
    (SUBJECTS[5], ("squeeze_first",)),
)
"""Networks, and the passes left out of them one at a time."""
