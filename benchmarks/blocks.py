"""Published re-parameterisable blocks beside those of :mod:`tlcconvert.architectures`.

Each is in the form it is trained in, stride 1, [N, C, H, W] -> [N, C, H, W].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tlcconvert.architectures.ecbsr.network import ECB, EdgeFilter, ExpandAndSqueeze


class ACBlock(nn.Module):
    """ACNet (Ding et al., ICCV 2019): 3x3, 3x1 and 1x3 convolutions, each with a batch norm, summed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.square = convolution_and_norm(channels, (3, 3))
        self.vertical = convolution_and_norm(channels, (3, 1))
        self.horizontal = convolution_and_norm(channels, (1, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.square(x) + self.vertical(x) + self.horizontal(x)


class MobileOneBlock(nn.Module):
    """MobileOne (Vasu et al., CVPR 2023): ``branches`` 3x3 convolutions, a 1x1 and the input, a norm each."""

    def __init__(self, channels: int, branches: int = 4) -> None:
        super().__init__()
        self.dense = nn.ModuleList(convolution_and_norm(channels, (3, 3)) for _ in range(branches))
        self.pointwise = convolution_and_norm(channels, (1, 1))
        self.skip = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.pointwise(x) + self.skip(x)
        for branch in self.dense:
            y = y + branch(x)
        return F.relu(y)


class NormBorderedByItsShift(nn.Module):
    """Batch norm, then a border one pixel wide of what the norm makes of zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        border = norm.bias - norm.running_mean * norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return bordered(norm(x), border)


class DiverseBranchBlock(nn.Module):
    """DBB (Ding et al., CVPR 2021): 3x3, 1x1, 1x1 then 3x3, 1x1 then average pool; norms between, summed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dense = convolution_and_norm(channels, (3, 3))
        self.pointwise = convolution_and_norm(channels, (1, 1))
        self.sequential = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            NormBorderedByItsShift(channels),
            nn.Conv2d(channels, channels, 3, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.average = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            NormBorderedByItsShift(channels),
            nn.AvgPool2d(3, stride=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(x) + self.pointwise(x) + self.sequential(x) + self.average(x)


class ECBFillingBorders(ECB):
    """ECBSR's block as its authors' training code runs it: the border of each map is overwritten by a bias."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv3x3(x) + expand_and_squeeze(self.conv1x1_3x3, x)
        for edge in (self.conv1x1_sbx, self.conv1x1_sby, self.conv1x1_lpl):
            features = bordered(F.conv2d(x, edge.k0, edge.b0), edge.b0)
            y = y + F.conv2d(features, edge.scale * edge.mask, edge.bias, groups=len(edge.scale))
        return y + x if self.identity else y


class ECBComposingItsKernel(ECB):
    """ECBSR's block as its authors' code runs it in evaluation: one kernel, composed anew on every call."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branch = self.conv1x1_3x3
        weight, bias = composed(branch.k0, branch.b0, branch.k1, branch.b1)
        assert self.conv3x3.bias is not None
        weight, bias = weight + self.conv3x3.weight, bias + self.conv3x3.bias
        for edge in (self.conv1x1_sbx, self.conv1x1_sby, self.conv1x1_lpl):
            edge_weight, edge_bias = composed(edge.k0, edge.b0, dense_kernel(edge), edge.bias)
            weight, bias = weight + edge_weight, bias + edge_bias
        if self.identity:
            weight = weight + identity_kernel(weight)
        return F.conv2d(x, weight, bias, padding=1)


def convolution_and_norm(channels: int, kernel_size: tuple[int, int]) -> nn.Sequential:
    padding = (kernel_size[0] // 2, kernel_size[1] // 2)
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel_size, padding=padding, bias=False), nn.BatchNorm2d(channels)
    )


def bordered(x: torch.Tensor, border: torch.Tensor | None) -> torch.Tensor:
    """``x`` with one more row or column on each side, holding ``border`` [C]."""
    assert border is not None
    y = F.pad(x, (1, 1, 1, 1))
    value = border.view(1, -1, 1, 1)
    y[:, :, 0:1, :] = value
    y[:, :, -1:, :] = value
    y[:, :, :, 0:1] = value
    y[:, :, :, -1:] = value
    return y


def expand_and_squeeze(branch: ExpandAndSqueeze, x: torch.Tensor) -> torch.Tensor:
    return F.conv2d(bordered(F.conv2d(x, branch.k0, branch.b0), branch.b0), branch.k1, branch.b1)


def composed(
    pointwise: torch.Tensor, border: torch.Tensor | None, spatial: torch.Tensor, bias: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a 1x1 convolution bordered by its bias, then a 3x3 convolution."""
    assert border is not None and bias is not None
    weight = F.conv2d(spatial, pointwise.permute(1, 0, 2, 3))
    constant = torch.ones(1, len(border), 3, 3) * border.view(1, -1, 1, 1)
    return weight, F.conv2d(constant, spatial).view(-1) + bias


def dense_kernel(edge: EdgeFilter) -> torch.Tensor:
    """The depthwise edge filter as a dense [C, C, 3, 3] kernel."""
    filters = edge.scale * edge.mask
    kernel = filters.new_zeros(len(filters), len(filters), 3, 3)
    for channel in range(len(filters)):
        kernel[channel, channel] = filters[channel, 0]
    return kernel


def identity_kernel(like: torch.Tensor) -> torch.Tensor:
    kernel = torch.zeros_like(like)
    for channel in range(len(like)):
        kernel[channel, channel, 1, 1] = 1.0
    return kernel
