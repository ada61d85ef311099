"""HINet: a two-stage U-Net that instance-normalises half of the channels of its encoder blocks.

Source: Chen et al., "HINet: Half Instance Normalization Network for Image Restoration", CVPR Workshops 2021,
arXiv 2105.06086, section 3. Parameter names are the published ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

LEAKY_SLOPE = 0.2


class ConvolutionBlock(nn.Module):
    """Two 3x3 convolutions with leaky ReLU and a 1x1 shortcut.

    ``normalized``: instance norm on the first half of the channels after the first convolution.
    ``downsampled``, ``fused``: also holds the convolution to the next level, and those that bring in the
    features of the previous stage (cross-stage feature fusion); the network applies them.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        normalized: bool = False,
        downsampled: bool = False,
        fused: bool = False,
    ) -> None:
        super().__init__()
        self.identity = nn.Conv2d(in_channels, out_channels, 1)
        self.conv_1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv_2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.norm = nn.InstanceNorm2d(out_channels // 2, affine=True) if normalized else None
        if downsampled:
            self.downsample = nn.Conv2d(out_channels, out_channels, 4, stride=2, padding=1, bias=False)
        if fused:
            self.csff_enc = nn.Conv2d(out_channels, out_channels, 3, padding=1)
            self.csff_dec = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, in_channels, H, W] -> [N, out_channels, H, W]."""
        y = self.conv_1(x)
        if self.norm is not None:
            first, second = y.chunk(2, dim=1)
            y = torch.cat([self.norm(first), second], dim=1)
        y = F.leaky_relu(y, LEAKY_SLOPE)
        y = F.leaky_relu(self.conv_2(y), LEAKY_SLOPE)
        return y + self.identity(x)


class DecoderBlock(nn.Module):
    """Doubles the size and merges the encoder features of that size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv_block = ConvolutionBlock(in_channels, out_channels)

    def forward(self, x: torch.Tensor, skipped: torch.Tensor) -> torch.Tensor:
        """[N, in_channels, H, W] and [N, out_channels, 2H, 2W] -> [N, out_channels, 2H, 2W]."""
        return self.conv_block(torch.cat([self.up(x), skipped], dim=1))


class SupervisedAttention(nn.Module):
    """The first stage's image, and its features weighted by a gate computed from that image."""

    def __init__(self, channels: int, colors: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, colors, 3, padding=1)
        self.conv3 = nn.Conv2d(colors, channels, 3, padding=1)

    def forward(self, x: torch.Tensor, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        restored = self.conv2(x) + image
        return x + self.conv1(x) * torch.sigmoid(self.conv3(restored)), restored


class HINet(nn.Module):
    """Restores an image in two stages.

    ``normalized_levels`` are the encoder levels with half instance norm, 0 being the finest of ``depth``.
    Height and width must be multiples of ``2 ** (depth - 1)``.
    """

    def __init__(
        self,
        *,
        colors: int = 3,
        channels: int = 64,
        depth: int = 5,
        normalized_levels: Collection[int] = (0, 1, 2, 3, 4),
    ) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(depth)]
        self.conv_01 = nn.Conv2d(colors, channels, 3, padding=1)
        self.conv_02 = nn.Conv2d(colors, channels, 3, padding=1)
        self.down_path_1 = _encoder(widths, normalized_levels, fused=False)
        self.down_path_2 = _encoder(widths, normalized_levels, fused=True)
        self.up_path_1 = _decoder(widths)
        self.up_path_2 = _decoder(widths)
        self.skip_conv_1 = _skip_convolutions(widths)
        self.skip_conv_2 = _skip_convolutions(widths)
        self.sam12 = SupervisedAttention(channels, colors)
        self.cat12 = nn.Conv2d(2 * channels, channels, 1)
        self.last = nn.Conv2d(channels, colors, 3, padding=1)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """[N, colors, H, W] -> two such images: the first stage's, then the final one."""
        encoded = _encode(self.down_path_1, self.conv_01(image))
        decoded = _decode(self.up_path_1, self.skip_conv_1, encoded)
        attended, restored = self.sam12(decoded[0], image)
        start = self.cat12(torch.cat([self.conv_02(image), attended], dim=1))
        encoded = _encode(self.down_path_2, start, list(zip(encoded[:-1], decoded, strict=True)))
        final = self.last(_decode(self.up_path_2, self.skip_conv_2, encoded)[0]) + image
        return [restored, final]


def _encode(
    path: nn.ModuleList, x: torch.Tensor, previous: Sequence[tuple[torch.Tensor, torch.Tensor]] = ()
) -> list[torch.Tensor]:
    """Features of every level, finest first.

    ``previous`` is what the stage before encoded and decoded at each level but the coarsest.
    """
    features = []
    for level, block in enumerate(cast(Iterable[ConvolutionBlock], path)):
        y = block(x)
        if level < len(previous):
            encoded, decoded = previous[level]
            y = y + block.csff_enc(encoded) + block.csff_dec(decoded)
        features.append(y)
        if level < len(path) - 1:
            x = block.downsample(y)
    return features


def _decode(
    path: Iterable[nn.Module], skip_convolutions: Iterable[nn.Module], encoded: list[torch.Tensor]
) -> list[torch.Tensor]:
    """Features of every level but the coarsest, finest first."""
    x = encoded[-1]
    features: list[torch.Tensor] = []
    for block, skip, level in zip(path, skip_convolutions, reversed(encoded[:-1]), strict=True):
        x = block(x, skip(level))
        features.insert(0, x)
    return features


def _encoder(widths: list[int], normalized_levels: Collection[int], *, fused: bool) -> nn.ModuleList:
    coarsest = len(widths) - 1
    return nn.ModuleList(
        ConvolutionBlock(
            widths[max(level - 1, 0)],
            width,
            normalized=level in normalized_levels,
            downsampled=level < coarsest,
            fused=fused and level < coarsest,
        )
        for level, width in enumerate(widths)
    )


def _decoder(widths: list[int]) -> nn.ModuleList:
    return nn.ModuleList(DecoderBlock(2 * width, width) for width in reversed(widths[:-1]))


def _skip_convolutions(widths: list[int]) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in reversed(widths[:-1]))
