"""The SRResNet branch, without batch norm and with the bilinear upscaled input added.

Source: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
CVPR 2017, arXiv 1609.04802; parameter names are those ClassSR publishes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from spandrel.util import get_seq_len
from torch import Tensor, nn

_SLOPE = 0.1


class ResidualBlock(nn.Module):
    """``x + conv(relu(conv(x)))``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class SRResNet(nn.Module):
    """``blocks`` residual blocks of ``channels`` features; scale 2, 3 or 4."""

    def __init__(self, *, colors: int = 3, channels: int = 64, blocks: int = 16, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.factor = 3 if scale == 3 else 2
        self.conv_first = nn.Conv2d(colors, channels, 3, padding=1)
        self.recon_trunk = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.upconv1 = nn.Conv2d(channels, channels * self.factor**2, 3, padding=1)
        self.upconv2 = nn.Conv2d(channels, channels * 4, 3, padding=1) if scale == 4 else None
        self.HRconv = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_last = nn.Conv2d(channels, colors, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, colors, H, W] -> [N, colors, scale * H, scale * W]."""
        y = self.recon_trunk(F.leaky_relu(self.conv_first(x), _SLOPE))
        y = F.leaky_relu(F.pixel_shuffle(self.upconv1(y), self.factor), _SLOPE)
        if self.upconv2 is not None:
            y = F.leaky_relu(F.pixel_shuffle(self.upconv2(y), 2), _SLOPE)
        y = self.conv_last(F.leaky_relu(self.HRconv(y), _SLOPE))
        return y + F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)


def srresnet_of(state: Mapping[str, Tensor]) -> SRResNet:
    """An SRResNet of the width, depth and scale of ``state``."""
    channels, colors = state["conv_first.weight"].shape[:2]
    factor_of_three = state["upconv1.weight"].shape[0] == 9 * channels
    scale = 3 if factor_of_three else 4 if "upconv2.weight" in state else 2
    blocks = get_seq_len(dict(state), "recon_trunk")
    return SRResNet(colors=colors, channels=channels, blocks=blocks, scale=scale)
