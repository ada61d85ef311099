"""SESR: super-resolution from collapsible linear blocks, in the expanded form they are trained in.

Source: Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution", MLSys 2022,
arXiv 2103.09404, section 3. Parameter names are those of the public PyTorch release.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class CollapsibleLinearBlock(nn.Module):
    """k x k convolution to ``expanded`` channels, 1x1 convolution back, then ``activation``."""

    def __init__(
        self, in_channels: int, out_channels: int, expanded: int, kernel_size: int, activation: nn.Module
    ) -> None:
        super().__init__()
        self.conv_expand = nn.Conv2d(in_channels, expanded, kernel_size, padding=kernel_size // 2, bias=False)
        self.conv_squeeze = nn.Conv2d(expanded, out_channels, 1)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.conv_squeeze(self.conv_expand(x)))


class ResidualCollapsibleLinearBlock(CollapsibleLinearBlock):
    """A collapsible linear block with a short residual inside the activation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(x + self.conv_squeeze(self.conv_expand(x)))


class SESR(nn.Module):
    """Upscales by ``scale``: 5x5 block, ``blocks`` residual 3x3 blocks, 5x5 block, plus the nearest
    upscaled input.

    ``slopes`` is the number of PReLU slopes per activation (1 or ``channels``); 0 means ReLU.
    ``concatenate`` feeds the last block the first features beside the residual ones instead of their sum.
    """

    def __init__(
        self,
        *,
        colors: int = 3,
        channels: int = 16,
        blocks: int = 5,
        scale: int = 2,
        expanded: int = 256,
        slopes: int = 0,
        concatenate: bool = False,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.concatenate = concatenate
        self.conv_first = CollapsibleLinearBlock(colors, channels, expanded, 5, _activation(slopes))
        self.residual_block = nn.Sequential(
            *(
                ResidualCollapsibleLinearBlock(channels, channels, expanded, 3, _activation(slopes))
                for _ in range(blocks)
            )
        )
        features = 2 * channels if concatenate else channels
        self.conv_last = CollapsibleLinearBlock(features, colors * scale**2, expanded, 5, nn.Identity())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, colors, H, W] -> [N, colors, scale * H, scale * W]."""
        first = self.conv_first(x)
        deep = self.residual_block(first)
        features = torch.cat([deep, first], dim=1) if self.concatenate else deep + first
        upscaled = F.interpolate(x, scale_factor=self.scale, mode="nearest")
        return upscaled + F.pixel_shuffle(self.conv_last(features), self.scale)


def _activation(slopes: int) -> nn.Module:
    return nn.PReLU(slopes) if slopes else nn.ReLU()
