"""ECBSR: super-resolution from edge-oriented convolution blocks, in the branched form they are trained in.

Source: Zhang, Zeng, Zhang, "Edge-oriented Convolution Block for Real-time Super Resolution on Mobile
Devices", ACM Multimedia 2021. Parameter names are the published ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

SOBEL_X = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))
SOBEL_Y = ((1.0, 2.0, 1.0), (0.0, 0.0, 0.0), (-1.0, -2.0, -1.0))
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))

Kernel = tuple[tuple[float, ...], ...]


class ExpandAndSqueeze(nn.Module):
    """1x1 convolution to ``middle_channels``, then a 3x3 convolution."""

    def __init__(self, in_channels: int, middle_channels: int, out_channels: int) -> None:
        super().__init__()
        pointwise = nn.Conv2d(in_channels, middle_channels, 1)
        spatial = nn.Conv2d(middle_channels, out_channels, 3)
        self.k0, self.b0 = pointwise.weight, pointwise.bias
        self.k1, self.b1 = spatial.weight, spatial.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(_bordered_pointwise(x, self.k0, self.b0), self.k1, self.b1)


class EdgeFilter(nn.Module):
    """1x1 convolution, then one fixed 3x3 edge filter per channel, with a learned scale and bias."""

    mask: torch.Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: Kernel) -> None:
        super().__init__()
        pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.k0, self.b0 = pointwise.weight, pointwise.bias
        self.scale = nn.Parameter(torch.randn(out_channels, 1, 1, 1) * 1e-3)
        self.bias = nn.Parameter(torch.randn(out_channels) * 1e-3)
        self.register_buffer("mask", torch.tensor(kernel).repeat(out_channels, 1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = _bordered_pointwise(x, self.k0, self.b0)
        return F.conv2d(features, self.scale * self.mask, self.bias, groups=self.scale.shape[0])


class ECB(nn.Module):
    """Five parallel convolutions and, if ``identity`` and the shapes allow it, the input, summed: affine."""

    def __init__(self, in_channels: int, out_channels: int, expansion: float, identity: bool) -> None:
        super().__init__()
        self.identity = identity and in_channels == out_channels
        self.conv3x3 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv1x1_3x3 = ExpandAndSqueeze(in_channels, int(out_channels * expansion), out_channels)
        self.conv1x1_sbx = EdgeFilter(in_channels, out_channels, SOBEL_X)
        self.conv1x1_sby = EdgeFilter(in_channels, out_channels, SOBEL_Y)
        self.conv1x1_lpl = EdgeFilter(in_channels, out_channels, LAPLACIAN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        edges = self.conv1x1_sbx(x) + self.conv1x1_sby(x) + self.conv1x1_lpl(x)
        y = self.conv3x3(x) + self.conv1x1_3x3(x) + edges
        return y + x if self.identity else y


class ActivatedECB(ECB):
    """An :class:`ECB` followed by a PReLU with one slope per channel."""

    def __init__(self, in_channels: int, out_channels: int, expansion: float, identity: bool) -> None:
        super().__init__(in_channels, out_channels, expansion, identity)
        self.act = nn.PReLU(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(super().forward(x))


class ECBSR(nn.Module):
    """Upscales by ``scale``: ``blocks`` ECBs between a first and a last one, plus the nearest upscaled input.

    The published code adds the input to every sub-pixel by broadcasting, which exists for one colour only and
    is the same.
    """

    def __init__(
        self,
        *,
        colors: int = 1,
        channels: int = 16,
        blocks: int = 4,
        scale: int = 2,
        expansion: float = 2.0,
        identity: bool = False,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.backbone = nn.Sequential(
            ActivatedECB(colors, channels, expansion, identity),
            *(ActivatedECB(channels, channels, expansion, identity) for _ in range(blocks)),
            ECB(channels, colors * scale**2, expansion, identity),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, colors, H, W] -> [N, colors, scale * H, scale * W]."""
        upscaled = F.interpolate(x, scale_factor=self.scale, mode="nearest")
        return upscaled + F.pixel_shuffle(self.backbone(x), self.scale)


def _bordered_pointwise(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """1x1 convolution of ``x`` and one more row or column of zeros on each side, where the bias remains.

    A 3x3 convolution of the result is then one 3x3 convolution of zero-padded ``x``, border included.
    """
    return F.conv2d(F.pad(x, (1, 1, 1, 1)), weight, bias)
