"""What random networks are made of: blocks the field uses, of C channels in and out, that keep the size of their map.

Each draws what it varies from the given generator. Residuals are scaled so that no block amplifies rounding much.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    nn.ReLU, nn.GELU, nn.SiLU, nn.PReLU, nn.Hardswish, lambda: nn.LeakyReLU(0.2), lambda: nn.ReLU(inplace=True),
)  # fmt: skip


class Block(nn.Module):
    """``x + 0.5 * body(x)``; subclasses define ``body``."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__()

    def body(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.5 * self.body(x)


class Convolutions(Block):
    """Plain, dilated, depthwise, reflected or unpadded convolutions."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        kind = draw.choice(
            ["plain", "dilated", "depthwise", "reflect", "replicate", "circular", "unpadded", "strip"]
        )
        self.border = 1 if kind == "unpadded" else 0
        if kind == "strip":
            self.layers = nn.Sequential(
                nn.Conv2d(channels, channels, (1, 5), padding=(0, 2)),
                nn.Conv2d(channels, channels, (5, 1), padding=(2, 0)),
            )
            return
        mode = kind if kind in ("reflect", "replicate", "circular") else "zeros"
        dilation = 2 if kind == "dilated" else 1
        groups = channels if kind == "depthwise" else 1
        padding = 0 if self.border else dilation
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, padding, dilation, groups, padding_mode=mode),
            draw.choice(ACTIVATIONS)(),
            nn.Conv2d(channels, channels, 1),
        )

    def body(self, x: Tensor) -> Tensor:
        return functional.pad(self.layers(x), [self.border] * 4)


class BatchNorm(Block):
    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def body(self, x: Tensor) -> Tensor:
        return self.layers(x)


class SqueezeExcitation(Block):
    """A gate from a mean, maximum, deviation or both, through convolutions, linear layers or ECA."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.statistic = draw.choice(
            ["pool", "mean", "amax", "std", "contrast", "two means", "both", "sum", "norm"]
        )
        self.path = draw.choice(["convolutions", "linear", "eca", "one"])
        wide = 2 * channels if self.statistic == "both" else channels
        self.down, self.up = nn.Conv2d(wide, channels, 1), nn.Conv2d(channels, channels, 1)
        self.mix = nn.Conv1d(1, 1, 3, padding=1, bias=False)
        self.gate = draw.choice([torch.sigmoid, functional.hardsigmoid, torch.tanh])

    def squeezed(self, x: Tensor) -> Tensor:
        if self.statistic == "pool":
            return functional.adaptive_avg_pool2d(x, 1)
        if self.statistic == "mean":
            return x.mean((-2, -1), keepdim=True)
        if self.statistic == "amax":
            return x.amax((2, 3), keepdim=True)
        if self.statistic == "std":
            return x.flatten(2).std(-1)[..., None, None]
        if self.statistic == "contrast":
            mean = x.mean((2, 3), keepdim=True)
            return (x - mean).pow(2).mean((2, 3), keepdim=True).add(1e-4).sqrt() + mean
        if self.statistic == "two means":
            return x.mean(3, keepdim=True).mean(2, keepdim=True)
        if self.statistic == "sum":
            return x.sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3])
        if self.statistic == "norm":
            return torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True) / (x.shape[2] * x.shape[3]) ** 0.5
        return torch.cat([functional.adaptive_avg_pool2d(x, 1), functional.adaptive_max_pool2d(x, 1)], 1)

    def body(self, x: Tensor) -> Tensor:
        s = self.squeezed(x)
        if self.path == "linear":
            s = functional.linear(s.flatten(1), self.down.weight.flatten(1), self.down.bias).relu()
            s = functional.linear(s, self.up.weight.flatten(1), self.up.bias)[:, :, None, None]
        elif self.path == "eca" and s.shape[1] == x.shape[1]:
            s = self.mix(s.squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        else:
            s = self.down(s)
            s = s if self.path == "one" else self.up(s.relu())
        return x * self.gate(s)


class Normalised(Block):
    """Instance, half instance and group norm, layer norms over channels, and norms written out."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.kind = draw.choice(["instance", "half", "group", "channels", "last", "written", "all"])
        self.norm = {
            "instance": lambda: nn.InstanceNorm2d(channels, affine=True),
            "half": lambda: nn.InstanceNorm2d(channels // 2),
            "group": lambda: nn.GroupNorm(2, channels),
            "last": lambda: nn.LayerNorm(channels),
        }.get(self.kind, nn.Identity)()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def body(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.kind == "half":
            first, second = y.chunk(2, 1)
            return torch.cat([self.norm(first), second], 1)
        if self.kind == "channels":
            return (y - y.mean(1, keepdim=True)) / (y.var(1, keepdim=True, correction=0) + 1e-3).sqrt()
        if self.kind == "last":
            return self.norm(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if self.kind == "written":
            return (y - y.mean((2, 3), keepdim=True)) / (
                y.var((2, 3), keepdim=True, unbiased=False) + 1e-3
            ).sqrt()
        if self.kind == "all":
            return functional.layer_norm(y, y.shape[1:])
        return self.norm(y)


class GlobalContext(Block):
    """Softmax pooling (GCNet, ICCV workshops 2019)."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.mask = nn.Conv2d(channels, 1, 1)
        self.transform = nn.Conv2d(channels, channels, 1)

    def body(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        weights = self.mask(x).view(batch, 1, height * width).softmax(2).unsqueeze(-1)
        context = torch.matmul(x.view(batch, 1, channels, height * width), weights)
        return self.transform(context.view(batch, channels, 1, 1)).expand_as(x)


class ChannelAttention(Block):
    """Transposed attention over pixels (Restormer, CVPR 2022)."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.heads = draw.choice([1, 2])
        self.is_relu = draw.random() < 0.25
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.temperature = nn.Parameter(1 + torch.rand(self.heads, 1, 1))

    def body(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        q, k, v = (part.reshape(batch, self.heads, -1, height * width) for part in self.qkv(x).chunk(3, 1))
        q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        mixing = (q @ k.transpose(-2, -1)) * self.temperature
        mixing = mixing.relu() if self.is_relu else mixing.softmax(-1)
        return (mixing @ v).reshape(batch, channels, height, width)


class WindowAttention(Block):
    """Attention in windows of 4, shifted or not, padded to whole windows (Swin Transformer, ICCV 2021)."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.shift = draw.choice([0, 2])
        self.qkv = nn.Linear(channels, 3 * channels)

    def body(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        x = functional.pad(x, (0, -width % 4, 0, -height % 4)).permute(0, 2, 3, 1)
        rows, columns = x.shape[1], x.shape[2]
        if self.shift:
            x = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        x = x.reshape(batch, rows // 4, 4, columns // 4, 4, channels).permute(0, 1, 3, 2, 4, 5)
        q, k, v = self.qkv(x.reshape(-1, 16, channels)).chunk(3, -1)
        x = (q @ k.transpose(-2, -1) * channels**-0.5).softmax(-1) @ v
        x = x.reshape(batch, rows // 4, columns // 4, 4, 4, channels).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, rows, columns, channels)
        if self.shift:
            x = torch.roll(x, (self.shift, self.shift), (1, 2))
        return x.permute(0, 3, 1, 2)[:, :, :height, :width]


class Spectrum(Block):
    """A gate on frequencies: constants per channel, or from the frequencies themselves (LaMa, WACV 2022)."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.is_convolved = draw.random() < 0.5
        self.gate = nn.Parameter(torch.rand(channels, 1, 1))
        self.conv = nn.Conv2d(2 * channels, 2 * channels, 1)

    def body(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x, norm="ortho")
        if self.is_convolved:
            real, imaginary = self.conv(torch.cat([spectrum.real, spectrum.imag], 1)).chunk(2, 1)
            spectrum = torch.complex(real, imaginary)
        else:
            spectrum = spectrum * self.gate
        return torch.fft.irfft2(spectrum, s=x.shape[-2:], norm="ortho")


class Mirrored(Block):
    """A convolution of the flipped or transposed map, turned back."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.is_flip = draw.random() < 0.6
        self.conv = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))

    def body(self, x: Tensor) -> Tensor:
        if self.is_flip:
            return self.conv(x.flip(-1)).flip(-1)
        return self.conv(x.transpose(-2, -1)).transpose(-2, -1)


class Pyramid(Block):
    """Pooled to k x k, resized back to the map (PSPNet, CVPR 2017)."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.k = draw.choice([2, 3, 6])
        self.conv = nn.Conv2d(channels, channels, 1)

    def body(self, x: Tensor) -> Tensor:
        pooled = self.conv(functional.adaptive_avg_pool2d(x, self.k))
        return functional.interpolate(pooled, size=x.shape[2:], mode="bilinear", align_corners=False)


class Resized(Block):
    """Down by a factor or to half the extents, and back to the size of the map."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.down, self.up = (
            draw.choice(["nearest", "nearest-exact", "bilinear", "bicubic", "area"]) for _ in range(2)
        )
        self.factor = draw.choice([0.5, 0.75, 0.3, 1.7, 2.0])
        self.is_by_size = draw.random() < 0.4
        self.antialias = self.down in ("bilinear", "bicubic") and draw.random() < 0.3
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def body(self, x: Tensor) -> Tensor:
        if self.is_by_size:
            half = [(extent + 1) // 2 for extent in x.shape[2:]]
            y = functional.interpolate(x, size=half, mode=self.down, antialias=self.antialias)
        else:
            y = functional.interpolate(x, scale_factor=self.factor, mode=self.down, antialias=self.antialias)
        return functional.interpolate(self.conv(y), size=x.shape[2:], mode=self.up)


class SpatialGate(Block):
    """A gate per pixel from means and maxima over channels (CBAM, ECCV 2018)."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.conv = nn.Conv2d(2, 1, 5, padding=2)

    def body(self, x: Tensor) -> Tensor:
        return x * self.conv(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)).sigmoid()


class SimpleGate(Block):
    """Product of halves, then a gate of a mean (NAFNet, ECCV 2022)."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.wide, self.attention = nn.Conv2d(channels, 2 * channels, 1), nn.Conv2d(channels, channels, 1)

    def body(self, x: Tensor) -> Tensor:
        first, second = self.wide(x).chunk(2, 1)
        product = first * second
        return product * self.attention(functional.adaptive_avg_pool2d(product, 1))


class Cropped(Block):
    """The inside of a map, with a border put around it again."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.mode = draw.choice(["constant", "reflect", "replicate"])
        self.conv = nn.Conv2d(channels, channels, 1)

    def body(self, x: Tensor) -> Tensor:
        return functional.pad(self.conv(x[..., 1:-1, 1:-1]), (1, 1, 1, 1), mode=self.mode)


class LocalPool(Block):
    """Pools with a small kernel, stride 1."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, draw)
        self.pool = draw.choice(
            [nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1, divisor_override=5)]
        )

    def body(self, x: Tensor) -> Tensor:
        return self.pool(x) - x


BLOCKS: tuple[type[Block], ...] = (
    Convolutions, Convolutions, BatchNorm, SqueezeExcitation, SqueezeExcitation, Normalised, Normalised,
    GlobalContext, ChannelAttention, WindowAttention, Spectrum, Mirrored, Pyramid, Resized, SpatialGate, SimpleGate,
    Cropped, LocalPool,
)  # fmt: skip
