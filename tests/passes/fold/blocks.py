"""Published re-parameterisable blocks, each with its own published fusion written out as algebra.

``fused()`` returns the float64 ``(weight, bias)`` of the single convolution, by the formulas of the block's
paper and without the library under test. Padding is 1, stride 1.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import nn

Fused = tuple[torch.Tensor, torch.Tensor]


def randomise(module: nn.Module, seed: int = 0) -> nn.Module:
    """Gives every weight and statistic a generic value; returns ``module`` in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if not tensor.is_floating_point():
            continue
        if "running_var" in name:
            tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif tensor.dim() == 4 and tensor.shape[0] > 1:
            fan_in = tensor[0].numel()
            tensor.data.copy_(torch.randn(tensor.shape, generator=generator) / fan_in**0.5)
        elif tensor.dim() < 4:
            tensor.data.copy_(torch.randn(tensor.shape, generator=generator))
    return module.eval()


def norm_factors(norm: nn.BatchNorm2d) -> Fused:
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale, norm.bias.double() - norm.running_mean.double() * scale


def fuse_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Fused:
    scale, shift = norm_factors(norm)
    bias = 0.0 if conv.bias is None else conv.bias.double()
    return conv.weight.double() * scale[:, None, None, None], bias * scale + shift


def identity_kernel(channels: int, groups: int = 1) -> torch.Tensor:
    kernel = torch.zeros(channels, channels // groups, 3, 3, dtype=torch.float64)
    for i in range(channels):
        kernel[i, i % (channels // groups), 1, 1] = 1.0
    return kernel


def total(parts: Iterable[Fused]) -> Fused:
    weights, biases = zip(*parts, strict=True)
    return sum(weights), sum(biases)


def then_1x1(first: Fused, conv: nn.Conv2d) -> Fused:
    """A 3x3 followed by a 1x1: matrix products over the middle channels."""
    outer = conv.weight.double()[:, :, 0, 0]
    bias = 0.0 if conv.bias is None else conv.bias.double()
    return torch.einsum("om,mcij->ocij", outer, first[0]), outer @ first[1] + bias


def after_1x1(inner: Fused, weight: torch.Tensor, bias: torch.Tensor) -> Fused:
    """A 1x1 followed by a 3x3 whose padding is the 1x1's bias."""
    return torch.einsum("omij,mc->ocij", weight, inner[0][:, :, 0, 0]), weight.sum((2, 3)) @ inner[1] + bias


class RepSRBlock(nn.Module):
    """RepSR (arXiv 2205.05671): clean residual path and two expand-and-squeeze paths."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, 2 * channels, 3, padding=1),
                nn.BatchNorm2d(2 * channels),
                nn.Conv2d(2 * channels, channels, 1),
            )
            for _ in range(2)
        )
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.branches[0](x) + self.branches[1](x)

    def fused(self) -> Fused:
        identity = (identity_kernel(self.channels), torch.zeros(self.channels, dtype=torch.float64))
        return total([identity, *(then_1x1(fuse_norm(b[0], b[1]), b[2]) for b in self.branches)])


class SESRBlock(nn.Module):
    """SESR: 3x3 expand, 1x1 squeeze, short residual."""

    def __init__(self, channels: int, expansion: int = 32) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, expansion, 3, padding=1)
        self.squeeze = nn.Conv2d(expansion, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.squeeze(self.expand(x)) + x

    def fused(self) -> Fused:
        channels = self.squeeze.out_channels
        weight, bias = then_1x1((self.expand.weight.double(), self.expand.bias.double()), self.squeeze)
        return weight + identity_kernel(channels), bias


class RepVGGBlock(nn.Module):
    """RepVGG: 3x3, 1x1 and identity, each with a batch norm."""

    def __init__(self, channels: int, groups: int = 1) -> None:
        super().__init__()
        self.dense = nn.Conv2d(channels, channels, 3, padding=1, bias=False, groups=groups)
        self.point = nn.Conv2d(channels, channels, 1, bias=False, groups=groups)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(3))
        self.channels, self.groups = channels, groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norms[0](self.dense(x)) + self.norms[1](self.point(x)) + self.norms[2](x)

    def fused(self) -> Fused:
        point, point_bias = fuse_norm(self.point, self.norms[1])
        scale, shift = norm_factors(self.norms[2])
        identity = identity_kernel(self.channels, self.groups) * scale[:, None, None, None]
        return total(
            [
                fuse_norm(self.dense, self.norms[0]),
                (F.pad(point, (1, 1, 1, 1)), point_bias),
                (identity, shift),
            ]
        )


class ACBlock(nn.Module):
    """ACNet: 3x3, 3x1 and 1x3, each with a batch norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        sizes = ((3, 3), (3, 1), (1, 3))
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, channels, size, padding=(size[0] // 2, size[1] // 2), bias=False)
            for size in sizes
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in sizes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        square, tall, wide = (norm(conv(x)) for conv, norm in zip(self.convs, self.norms, strict=True))
        return square + tall + wide

    def fused(self) -> Fused:
        (square, a), (tall, b), (wide, c) = (
            fuse_norm(*pair) for pair in zip(self.convs, self.norms, strict=True)
        )
        return square + F.pad(tall, (1, 1, 0, 0)) + F.pad(wide, (0, 0, 1, 1)), a + b + c


class MobileOneBlock(nn.Module):
    """MobileOne: over-parameterised k 3x3 branches, a 1x1 branch and a batch norm."""

    def __init__(self, channels: int, branches: int = 3, groups: int = 1) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False, groups=groups) for _ in range(branches)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(branches))
        self.scale = nn.Conv2d(channels, channels, 1, bias=False, groups=groups)
        self.scale_norm = nn.BatchNorm2d(channels)
        self.skip = nn.BatchNorm2d(channels)
        self.channels, self.groups = channels, groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.scale_norm(self.scale(x)) + self.skip(x)
        for conv, norm in zip(self.branches, self.norms, strict=True):
            out = out + norm(conv(x))
        return out

    def fused(self) -> Fused:
        point, point_bias = fuse_norm(self.scale, self.scale_norm)
        scale, shift = norm_factors(self.skip)
        skip = identity_kernel(self.channels, self.groups) * scale[:, None, None, None]
        dense = [fuse_norm(*pair) for pair in zip(self.branches, self.norms, strict=True)]
        return total([*dense, (F.pad(point, (1, 1, 1, 1)), point_bias), (skip, shift)])


class PaddedWithBias(nn.Module):
    """A biased 1x1 bordered with its bias, then a fixed depthwise stencil or a dense 3x3 (ECB)."""

    def __init__(self, channels: int, middle: int, stencil: torch.Tensor | None) -> None:
        super().__init__()
        self.point = nn.Conv2d(channels, middle, 1)
        self.depthwise = stencil is not None
        if stencil is None:
            self.dense = nn.Conv2d(middle, channels, 3)
        else:
            self.scale = nn.Parameter(torch.randn(channels, 1, 1, 1))
            self.mask = nn.Parameter(stencil.expand(channels, 1, 3, 3).clone(), requires_grad=False)
            self.bias = nn.Parameter(torch.randn(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.pad(self.point(x), (1, 1, 1, 1), "constant", 0)
        border = self.point.bias.view(1, -1, 1, 1)
        y[:, :, 0:1, :] = border
        y[:, :, -1:, :] = border
        y[:, :, :, 0:1] = border
        y[:, :, :, -1:] = border
        if not self.depthwise:
            return self.dense(y)
        return F.conv2d(y, self.scale * self.mask, self.bias, groups=y.shape[1])

    def weights(self) -> Fused:
        inner = (self.point.weight.double(), self.point.bias.double())
        if not self.depthwise:
            return after_1x1(inner, self.dense.weight.double(), self.dense.bias.double())
        stencil = self.scale.double() * self.mask.double()
        kernel = torch.zeros(len(stencil), len(stencil), 3, 3, dtype=torch.float64)
        for i in range(len(stencil)):
            kernel[i, i] = stencil[i, 0]
        return after_1x1(inner, kernel, self.bias.double())


SOBEL = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
LAPLACIAN = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])


class ECBlock(nn.Module):
    """ECBSR's edge-oriented block as trained: 3x3, 1x1-3x3, two Sobels, Laplacian, identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        stencils = (None, SOBEL, SOBEL.T, LAPLACIAN)
        self.edges = nn.ModuleList(
            PaddedWithBias(channels, 2 * channels if stencil is None else channels, stencil)
            for stencil in stencils
        )
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        for edge in self.edges:
            y = y + edge(x)
        return y + x

    def fused(self) -> Fused:
        own = (self.conv.weight.double(), self.conv.bias.double())
        identity = (identity_kernel(self.channels), torch.zeros(self.channels, dtype=torch.float64))
        return total([own, identity, *(edge.weights() for edge in self.edges)])


class ComposedECBlock(ECBlock):
    """The same block in eval mode: the kernel is composed from the parameters on every call."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.conv.weight, self.conv.bias
        for edge in self.edges:
            inner = edge.point.weight
            border = edge.point.bias.view(1, -1, 1, 1) * torch.ones(1, inner.shape[0], 3, 3)
            if edge.depthwise:
                outer = torch.zeros(len(inner), len(inner), 3, 3)
                stencil = edge.scale * edge.mask
                for i in range(len(inner)):
                    outer[i, i] = stencil[i, 0]
                own = edge.bias
            else:
                outer, own = edge.dense.weight, edge.dense.bias
            weight = weight + F.conv2d(outer, inner.permute(1, 0, 2, 3))
            bias = bias + F.conv2d(border, outer).view(-1) + own
        weight = weight + identity_kernel(self.channels).float()
        return F.conv2d(x, weight, bias, padding=1)


class NormThenPad(nn.Module):
    """DBB: a batch norm, then a border of what the norm makes of zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.pad(self.bn(x), (1, 1, 1, 1))
        scale = self.bn.weight / torch.sqrt(self.bn.running_var + self.bn.eps)
        border = (self.bn.bias.detach() - self.bn.running_mean * scale).view(1, -1, 1, 1)
        y[:, :, 0:1, :] = border
        y[:, :, -1:, :] = border
        y[:, :, :, 0:1] = border
        y[:, :, :, -1:] = border
        return y


class DBBlock(nn.Module):
    """Diverse Branch Block: 3x3, 1x1, 1x1-3x3 and 1x1-average pool, batch norms between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dense, self.dense_bn = (
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.point, self.point_bn = nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
        self.first, self.first_bn = nn.Conv2d(channels, channels, 1, bias=False), NormThenPad(channels)
        self.second, self.second_bn = nn.Conv2d(channels, channels, 3, bias=False), nn.BatchNorm2d(channels)
        self.mixed, self.mixed_bn = nn.Conv2d(channels, channels, 1, bias=False), NormThenPad(channels)
        self.pool, self.pool_bn = nn.AvgPool2d(3, 1, 0), nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.dense_bn(self.dense(x)) + self.point_bn(self.point(x))
        y = y + self.second_bn(self.second(self.first_bn(self.first(x))))
        return y + self.pool_bn(self.pool(self.mixed_bn(self.mixed(x))))

    def fused(self) -> Fused:
        point, point_bias = fuse_norm(self.point, self.point_bn)
        no_bias = torch.zeros(self.second.out_channels, dtype=torch.float64)
        sequential = after_1x1(fuse_norm(self.first, self.first_bn.bn), self.second.weight.double(), no_bias)
        average = identity_kernel(self.mixed.out_channels)[:, :, 1:2, 1:2].expand(-1, -1, 3, 3) / 9
        pooled = after_1x1(fuse_norm(self.mixed, self.mixed_bn.bn), average, no_bias)
        parts = [fuse_norm(self.dense, self.dense_bn), (F.pad(point, (1, 1, 1, 1)), point_bias)]
        for (weight, bias), norm in ((sequential, self.second_bn), (pooled, self.pool_bn)):
            scale, shift = norm_factors(norm)
            parts.append((weight * scale[:, None, None, None], bias * scale + shift))
        return total(parts)
