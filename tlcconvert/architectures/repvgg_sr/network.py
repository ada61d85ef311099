"""A super-resolution network of RepVGG blocks, in the three-branch form they are trained in.

Source of the block: Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", CVPR 2021,
arXiv 2101.03697, section 3.3; its parameter names are the published ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class ConvolutionAndNorm(nn.Module):
    """Convolution without bias at stride 1, same size, then batch norm."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x))


class RepVGGBlock(nn.Module):
    """``relu(bn(conv3x3(x)) + bn(conv1x1(x)) + bn(x))``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rbr_dense = ConvolutionAndNorm(channels, 3)
        self.rbr_1x1 = ConvolutionAndNorm(channels, 1)
        self.rbr_identity = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] -> [N, C, H, W]."""
        return F.relu(self.rbr_dense(x) + self.rbr_1x1(x) + self.rbr_identity(x))


class RepVGGSR(nn.Module):
    """Upscales by ``scale``: 3x3 head, ``blocks`` RepVGG blocks, 3x3 tail, plus the bilinear upscaled
    input.
    """

    def __init__(self, *, colors: int = 3, channels: int = 32, blocks: int = 6, scale: int = 2) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(colors, channels, 3, padding=1)
        self.body = nn.Sequential(*(RepVGGBlock(channels) for _ in range(blocks)))
        self.tail = nn.Conv2d(channels, colors * scale**2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, colors, H, W] -> [N, colors, scale * H, scale * W]."""
        upscaled = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return upscaled + F.pixel_shuffle(self.tail(self.body(self.head(x))), self.scale)
