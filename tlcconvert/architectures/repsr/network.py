"""RepSR: a plain convolutional super-resolution network trained with batch norm on residual branches.

Source: Wang, Dong, Shan, "RepSR: Training Efficient VGG-style Super-Resolution Networks with Structural
Re-Parameterization and Batch Normalization", arXiv 2205.05671, sections 3.2 and 3.3. The authors published
no code; parameter names are those of the public unofficial implementation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class RepSRBlock(nn.Module):
    """``x + branch1(x) + branch2(x)``, where a branch expands (3x3), normalises and squeezes (1x1).

    The 3x3 comes first, so zero padding commutes with what follows and, with fixed statistics, the block is
    exactly one 3x3 convolution. The clean skip path carries no batch norm.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch1 = _expand_and_squeeze(channels)
        self.branch2 = _expand_and_squeeze(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] -> [N, C, H, W]."""
        return x + self.branch1(x) + self.branch2(x)


class RepSR(nn.Module):
    """Upscales by ``scale``: ``blocks`` RepSR blocks on ``channels`` features, plus the bilinear upscaled
    input.

    Trained in two phases: with mini-batch statistics, then, for about the last tenth of training, after
    :meth:`freeze_statistics`. Without the second phase training and inference normalise differently, which
    shows as colour shifts and ringing.
    """

    def __init__(self, *, colors: int = 3, channels: int = 16, blocks: int = 4, scale: int = 2) -> None:
        super().__init__()
        self.scale = scale
        self.statistics_frozen = False
        layers: list[nn.Module] = [nn.Conv2d(colors, channels, 3, padding=1), nn.PReLU(channels)]
        for _ in range(blocks):
            layers += [RepSRBlock(channels), nn.PReLU(channels)]
        layers.append(nn.Conv2d(channels, colors * scale**2, 3, padding=1))
        self.M_block = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, colors, H, W] -> [N, colors, scale * H, scale * W]."""
        upscaled = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return upscaled + F.pixel_shuffle(self.M_block(x), self.scale)

    def freeze_statistics(self) -> None:
        """From now on batch norms use their running mean and variance and leave them as they are.

        Their scale and shift are still trained. Holds through later calls of :meth:`train`.
        """
        self.statistics_frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> RepSR:
        super().train(mode)
        if self.statistics_frozen:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def _expand_and_squeeze(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, 2 * channels, 3, padding=1),
        nn.BatchNorm2d(2 * channels),
        nn.Conv2d(2 * channels, channels, 1),
    )
