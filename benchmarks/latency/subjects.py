"""The networks whose latency is measured, with random weights, and the images they run on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from tlcconvert.architectures.hinet.network import HINet


@dataclass(frozen=True)
class Subject:
    """A network [N, channels, H, W] -> images, trained on crops of ``train_size`` pixels (height, width or both).

    Attributes:
        size: height and width of the timed image.
        note: what was reduced to keep a run short.
        has_means: whether its statistics are means and norms, which have the published local form and a fast one.
        is_bound_by_memory: whether reading and writing maps takes most of its time.
        one_at_a_time: why no two of its rivals are kept in memory together; each is then loaded for every round.
    """

    name: str
    build: Callable[[], nn.Module]
    train_size: int | tuple[int, int]
    size: tuple[int, int]
    note: str = ""
    channels: int = 3
    output_index: int | None = None
    has_means: bool = True
    is_bound_by_memory: bool = False
    one_at_a_time: str = ""

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


class AttentionCore(nn.Module):
    """Transposed attention of one head (Restormer, CVPR 2022, section 3.1), given q, k and v."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(1, 1, 1))

    def forward(self, qkv: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = qkv.shape
        q, k, v = qkv.reshape(batch, 3, 1, channels // 3, height * width).unbind(1)
        q, k = nn.functional.normalize(q, dim=-1), nn.functional.normalize(k, dim=-1)
        attention = ((q @ k.transpose(-2, -1)) * self.temperature).softmax(dim=-1)
        return (attention @ v).reshape(batch, channels // 3, height, width)


def nafnet(width: int, deepest: int) -> nn.Module:
    from spandrel.architectures.NAFNet import NAFNet

    return NAFNet(width=width, middle_blk_num=1, enc_blk_nums=[1, 1, 1, deepest], dec_blk_nums=[1, 1, 1, 1])


def rcan() -> nn.Module:
    from spandrel.architectures.RCAN import RCAN

    return RCAN(n_feats=64, n_resgroups=2, n_resblocks=3, scale=2, reduction=16)


def mprnet() -> nn.Module:
    from spandrel_extra_arches.architectures.MPRNet import MPRNet

    return MPRNet(n_feat=24, scale_unetfeats=12, scale_orsnetfeats=8, num_cab=1)


def compact() -> nn.Module:
    """Slopes are drawn at random: as they start, all equal, they are one."""
    from spandrel.architectures.Compact import Compact

    network = Compact(num_feat=64, num_conv=16, upscale=2, act_type="prelu")
    for module in network.modules():
        if isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight)
    return network


def restormer(channels: int) -> nn.Module:
    from spandrel_extra_arches.architectures.Restormer import Restormer

    return Restormer(dim=channels, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1)


def attention_subject(core: bool, train_size: tuple[int, int], size: tuple[int, int]) -> Subject:
    """Restormer or its attention alone; ``train_size`` decides how much the windows overlap."""
    overlap = window_area(train_size, size) / (size[0] * size[1])
    name = f"{'attention core' if core else 'Restormer'} {size[0]}x{size[1]}, overlap {overlap:.1f}"
    if core:
        return Subject(
            name,
            AttentionCore,
            train_size,
            size,
            "48 channels",
            channels=144,
            has_means=False,
            is_bound_by_memory=True,
        )
    large = size[0] >= 720
    channels = 24 if large else 48
    return Subject(
        name,
        lambda: restormer(channels),
        train_size,
        size,
        f"{channels} channels, 1 block per level",
        has_means=False,
        one_at_a_time="its rivals need more than 24 GB together" if large else "",
    )


def window_area(train_size: tuple[int, int], size: tuple[int, int]) -> int:
    """Pixels in all windows together: of 1.5 times the train size each, as few as cover the image."""
    windows = [min(length, train * 3 // 2) for length, train in zip(size, train_size, strict=True)]
    return math.prod(-(-length // window) * window for length, window in zip(size, windows, strict=True))


ATTENTIONS = tuple(
    attention_subject(core, train_size, size)
    for core in (True, False)
    for train_size, size in (
        ((88, 136), (256, 384)),
        ((120, 176), (256, 384)),
        ((256, 448), (720, 1280)),
        ((336, 584), (720, 1280)),
    )
)
RCAN = Subject("RCAN x2", rcan, 48, (360, 640), "2 groups of 3 blocks, of 10 of 20")
SE_BLOCK = Subject(
    "SE block",
    lambda: SqueezeBlock(32),
    256,
    (720, 1280),
    "32 channels",
    channels=32,
    is_bound_by_memory=True,
)
SUBJECTS = (
    Subject("NAFNet-32", lambda: nafnet(32, 28), 256, (512, 768)),
    Subject("HINet, 64 channels", HINet, 128, (256, 384), output_index=-1),
    Subject("HINet, 16 channels", lambda: HINet(channels=16), 128, (256, 384), output_index=-1),
    RCAN,
    Subject("MPRNet", mprnet, 256, (360, 640), "24, 12 and 8 channels, 1 block of 8", output_index=0),
    SE_BLOCK,
    *ATTENTIONS,
)
ABLATED = (
    (
        Subject("small NAFNet-32", lambda: nafnet(32, 1), 256, (512, 768), "1 block per level"),
        (
            "channel_mean",
            "square",
            "split_convolution",
            "pixel_shuffle",
            "gate_product",
            "keep_map_sizes",
        ),
    ),
    (ATTENTIONS[4], ("whole_channel_blocks", "split_convolution", "gelu", "token_norm")),
    (RCAN, ("squeeze_first", "pixel_shuffle", "gate_product")),
    (
        Subject("Compact x2", compact, 64, (256, 384), "64 channels, 16 convolutions"),
        ("channel_prelu",),
    ),
    (SE_BLOCK, ("squeeze_first",)),
)
"""Networks, and what is left out of them one at a time: passes, and the sizes of maps as the file states them."""

PER_PIXEL = Subject("NAFNet-16", lambda: nafnet(16, 1), 256, (256, 256), "1 block per level")
PER_PIXEL_CHANNELS = 16
PIXELS = ((256, 256), (512, 768), (1080, 1920), (2160, 3840))
"""The network whose cost per pixel is measured, its channels inside, and the heights and widths at which it is."""
