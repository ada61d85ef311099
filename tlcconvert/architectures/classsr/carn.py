"""The CARN-M branch: cascaded blocks of grouped convolutions, every 1x1 fusing all that came before.

Source: Ahn, Kang, Sohn, "Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network",
ECCV 2018, arXiv 1803.08664; parameter names are those ClassSR publishes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tlcconvert.architectures.classsr.mean_shift import mean_shift
from tlcconvert.architectures.classsr.upsampler import upsampler_layers, upsampler_scale


class EfficientResidualBlock(nn.Module):
    """Two grouped 3x3 convolutions and a 1x1 one, added to the input."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=groups),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, groups=groups),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.body(x) + x)


class CascadingBlock(nn.Module):
    """One residual block applied three times, its results fused with all before."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.b1 = EfficientResidualBlock(channels, groups)
        self.c1, self.c2, self.c3 = (_fusion(count * channels, channels) for count in (2, 3, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cascade(x, (self.b1, self.b1, self.b1), (self.c1, self.c2, self.c3))


class CARN(nn.Module):
    """``channels`` features, three cascading blocks, pixel-shuffle upsampling."""

    def __init__(self, *, channels: int = 64, groups: int = 4, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.sub_mean, self.add_mean = mean_shift(-1), mean_shift(1)
        self.entry = nn.Conv2d(3, channels, 3, padding=1)
        self.b1, self.b2, self.b3 = (CascadingBlock(channels, groups) for _ in range(3))
        self.c1, self.c2, self.c3 = (_fusion(count * channels, channels) for count in (2, 3, 4))
        self.upsample = nn.ModuleDict(
            {"up": nn.ModuleDict({"body": upsampler_layers(channels, scale, groups=groups, activated=True)})}
        )
        self.exit = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, 3, H, W] -> [N, 3, scale * H, scale * W]."""
        features = self.entry(self.sub_mean(x))
        fused = cascade(features, (self.b1, self.b2, self.b3), (self.c1, self.c2, self.c3))
        return self.add_mean(self.exit(self.upsample["up"]["body"](fused)))  # type: ignore[index]


def cascade(x: torch.Tensor, blocks: tuple[nn.Module, ...], fusions: tuple[nn.Module, ...]) -> torch.Tensor:
    """Each block sees the last fusion; each fusion sees ``x`` and the results of all blocks so far."""
    gathered = fused = x
    for block, fusion in zip(blocks, fusions, strict=True):
        gathered = torch.cat([gathered, block(fused)], dim=1)
        fused = fusion(gathered)
    return fused


def carn_of(state: Mapping[str, Tensor]) -> CARN:
    """A CARN of the width, groups and scale of ``state``."""
    channels = state["entry.weight"].shape[0]
    groups = channels // state["b1.b1.body.0.weight"].shape[1]
    return CARN(channels=channels, groups=groups, scale=upsampler_scale(state, "upsample.up.body.", channels))


def _fusion(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())
