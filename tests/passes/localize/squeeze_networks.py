"""Small networks around one statistic each: what is computed from it, in the ways networks write it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = 4


class SqueezeExcitation(nn.Module):
    """Average pool and two 1x1 convolutions (Squeeze-and-Excitation Networks, CVPR 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(CHANNELS, 2, 1)
        self.up = nn.Conv2d(2, CHANNELS, 1)

    def gate(self, s: Tensor) -> Tensor:
        return self.up(self.down(s).relu()).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(functional.adaptive_avg_pool2d(x, 1))


class KeptMean(SqueezeExcitation):
    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.mean((-1, 2), keepdim=True))


class SequentialMeans(SqueezeExcitation):
    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.mean(3, keepdim=True).mean(2, keepdim=True))


class SumOverCount(SqueezeExcitation):
    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate((x.sum((2, 3)) / (x.shape[2] * x.shape[3]))[:, :, None, None])


class FlattenedMean(SqueezeExcitation):
    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.flatten(2).mean(-1)[..., None, None])


class ViewedMean(SqueezeExcitation):
    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        return x * self.gate(x.view(batch, channels, height * width).mean(2).view(batch, channels, 1, 1))


class LinearGate(SqueezeExcitation):
    def forward(self, x: Tensor) -> Tensor:
        batch, channels = x.shape[:2]
        s = x.mean((2, 3))
        s = functional.linear(s, self.down.weight.flatten(1), self.down.bias).relu()
        s = functional.linear(s, self.up.weight.flatten(1), self.up.bias).sigmoid()
        return x * s.view(batch, channels, 1, 1).expand_as(x)


class AddmmGate(SqueezeExcitation):
    def forward(self, x: Tensor) -> Tensor:
        s = torch.addmm(self.down.bias, x.mean((2, 3)), self.down.weight.flatten(1).t()).relu()
        s = (s @ self.up.weight.flatten(1).t()).sigmoid()
        return x * s[:, :, None, None]


class ChannelsLast(SqueezeExcitation):
    def forward(self, x: Tensor) -> Tensor:
        y = x.permute(0, 2, 3, 1)
        s = functional.linear(y.mean((1, 2), keepdim=True), self.down.weight.flatten(1), self.down.bias)
        y = y * functional.linear(s, self.up.weight.flatten(1)).sigmoid()
        return y.permute(0, 3, 1, 2)


class Tokens(SqueezeExcitation):
    def forward(self, x: Tensor) -> Tensor:
        y = x.flatten(2).transpose(1, 2)
        s = functional.linear(y.mean(1, keepdim=True), self.down.weight.flatten(1), self.down.bias)
        y = y * functional.linear(s, self.up.weight.flatten(1)).sigmoid()
        return y.transpose(1, 2).reshape(x.shape)


class LargeKernelOnOnePixel(SqueezeExcitation):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(CHANNELS, 2, 3, padding=1)
        self.up = nn.Conv2d(2, CHANNELS, (3, 5), padding=(2, 4), dilation=2)


class GroupedGate(SqueezeExcitation):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(CHANNELS, 8, 1, groups=2)
        self.up = nn.Conv2d(8, CHANNELS, 1, groups=4, bias=False)


class NormalisedGate(SqueezeExcitation):
    def __init__(self) -> None:
        super().__init__()
        self.batch = nn.BatchNorm2d(CHANNELS)
        self.batch.running_mean.normal_()
        self.batch.running_var.uniform_(0.5, 2)
        self.layer = nn.LayerNorm([CHANNELS, 1, 1])
        self.group = nn.GroupNorm(2, CHANNELS)
        for parameter in self.parameters():
            nn.init.normal_(parameter)

    def gate(self, s: Tensor) -> Tensor:
        return (
            self.group(self.layer(self.batch(s)))
            + functional.layer_norm(s.flatten(1), [CHANNELS])[..., None, None]
        )


class EfficientChannelAttention(nn.Module):
    """One-dimensional convolution across channels (ECA-Net, CVPR 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        s = functional.adaptive_avg_pool2d(x, 1).squeeze(-1).transpose(-1, -2)
        return x * self.conv(s).transpose(-1, -2).unsqueeze(-1).sigmoid()


class SelectiveFusion(nn.Module):
    """Softmax across branches (Selective Kernel Networks, CVPR 2019; MIRNet, ECCV 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(CHANNELS, 2, 1)
        self.heads = nn.ModuleList(nn.Conv2d(2, CHANNELS, 1) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        branches = torch.stack([x, x.flip(1), x * x], 1)
        s = functional.prelu(
            self.down(branches.sum(1).mean((2, 3), keepdim=True)), torch.tensor([0.1, 0.3]).to(x)
        )
        weights = torch.cat([head(s) for head in self.heads], 1).view(x.shape[0], 3, CHANNELS, 1, 1)
        return (branches * weights.softmax(1)).sum(1)


class SplitGate(SqueezeExcitation):
    """Split, slice, chunk, select, unbind and stack over channels."""

    def forward(self, x: Tensor) -> Tensor:
        s = x.mean((2, 3), keepdim=True)
        a, b = s.chunk(2, 1)
        c, d = s[:, 1:3].split(1, 1)
        e, f = torch.stack([a, b], 1).unbind(1)
        g = torch.cat([a * b, c + d, e.select(1, 0).unsqueeze(1) - f[:, :1]], 1)
        return x * functional.glu(g, 1).sum(1, keepdim=True) + torch.cat([c, d, c, d], 1).log_softmax(1)


class ChannelStatistics(nn.Module):
    """Mean, extremes, variance and norm over the channels of a statistic, and pools of its 1x1 map."""

    def forward(self, x: Tensor) -> Tensor:
        s = functional.adaptive_avg_pool2d(x, 1)
        t = s.mean(1, keepdim=True) + s.amax((1, 2), keepdim=True) * s.std(1, keepdim=True)
        t = t + torch.linalg.vector_norm(s, dim=1, keepdim=True) + s.max(1, keepdim=True).values
        return x * functional.avg_pool2d(functional.adaptive_avg_pool2d(t, 1), 1) + s.var(
            (2, 3), keepdim=True, correction=0
        )


class Spread(nn.Module):
    """Interpolated, repeated and concatenated back to the map (the image pooling of ASPP)."""

    def forward(self, x: Tensor) -> Tensor:
        s = x.mean((2, 3), keepdim=True)
        wide = functional.interpolate(s, size=x.shape[2:], mode="bilinear", align_corners=False)
        return torch.cat([x, wide, s.repeat(1, 1, x.shape[2], x.shape[3]), s.expand(-1, -1, *x.shape[2:])], 1)


class ScalarsOfTheCount(nn.Module):
    """Numbers made of the reduced extents."""

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[2] * x.shape[3]
        total = x.sum((2, 3), keepdim=True)
        return x - total / (n + 1) + total * (1 / n) / x.shape[2] + total.sigmoid() / n**0.5


class SeveralStatistics(nn.Module):
    """Two doors into one squeeze path."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([functional.adaptive_avg_pool2d(x, 1), functional.adaptive_max_pool2d(x, 1)], 1)
        return x * self.conv(both).sigmoid()


class ChannelAndSpaceMean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean((1, 2, 3), keepdim=True) / x.std((1, 2, 3), keepdim=True)


class VarianceForms(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        spread = x.var((2, 3), keepdim=True) + x.flatten(2).std(2)[..., None, None]
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        return x * spread + variance / (mean.abs() + 1)


class WrittenOutVariance(nn.Module):
    """mean((x - mean)^2), the contrast pooling of IMDN (ACM MM 2019)."""

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[2] * x.shape[3]
        mean = x.sum((2, 3), keepdim=True) / n
        variance = (x - mean).pow(2).sum((2, 3), keepdim=True) / n
        return x * (variance.sqrt() + mean).sigmoid()


class WrittenOutNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((2, 3), keepdim=True)
        return centred / ((centred * centred).mean((2, 3), keepdim=True) + 1e-2).sqrt()


class WrittenOutLayerNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        return centred * torch.rsqrt(x.var((1, 2, 3), keepdim=True, correction=0) + 1e-2)


class SimpleAttention(nn.Module):
    """SimAM (ICML 2021)."""

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[2] * x.shape[3] - 1
        d = (x - x.mean(dim=[2, 3], keepdim=True)).pow(2)
        return x * (d / (4 * (d.sum(dim=[2, 3], keepdim=True) / n + 1e-2)) + 0.5).sigmoid()


class RepresentativeBatchNorm(nn.Module):
    """Centering and scaling calibration around a batch norm (CVPR 2021, sections 3.2 and 3.3)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(CHANNELS)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)
        self.center, self.scale, self.shift = (nn.Parameter(torch.randn(1, CHANNELS, 1, 1)) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.center * x.mean((2, 3), keepdim=True)
        x = self.norm(x)
        return x * (self.scale * functional.adaptive_avg_pool2d(x, 1) + self.shift).sigmoid()


class MaximumForms(nn.Module):
    """The two poolings of CBAM (ECCV 2018), and minima."""

    def forward(self, x: Tensor) -> Tensor:
        s = functional.adaptive_max_pool2d(x, 1) + x.flatten(2).max(-1)[0][..., None, None]
        return x * s + x.amin((2, 3), keepdim=True) - x.amax((1, 2, 3), keepdim=True)


class LogSumExpForms(nn.Module):
    """Smooth maxima of each channel, of all together, and of what differs from the mean."""

    def forward(self, x: Tensor) -> Tensor:
        s = x.logsumexp((2, 3), keepdim=True) + x.flatten(2).logsumexp(-1)[..., None, None]
        centred = x - x.mean((2, 3), keepdim=True)
        return x * s + centred.logsumexp((2, 3), keepdim=True) - x.logsumexp((1, 2, 3), keepdim=True)


class ResponseNorm(nn.Module):
    """Global response normalisation (ConvNeXt V2, CVPR 2023)."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.permute(0, 2, 3, 1)
        response = torch.norm(y, p=2, dim=(1, 2), keepdim=True)
        y = y + y * (response / (response.mean(dim=-1, keepdim=True) + 1e-6))
        return y.permute(0, 3, 1, 2) + torch.norm(x, p=1, dim=(2, 3), keepdim=True)


class GlobalContext(nn.Module):
    """Softmax-weighted sum over space (GCNet, ICCV workshops 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = nn.Conv2d(CHANNELS, 1, 1)
        self.transform = nn.Sequential(
            nn.Conv2d(CHANNELS, 2, 1), nn.LayerNorm([2, 1, 1]), nn.ReLU(), nn.Conv2d(2, CHANNELS, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        pixels = x.view(batch, channels, height * width).unsqueeze(1)
        mask = self.mask(x).view(batch, 1, height * width).softmax(2).unsqueeze(-1)
        context = torch.matmul(pixels, mask).view(batch, channels, 1, 1)
        return x + self.transform(context)


class InstanceNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(CHANNELS, affine=True)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class HalfInstanceNorm(nn.Module):
    """Instance norm on half of the channels (HINet, CVPR workshops 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(CHANNELS // 2, affine=True)
        nn.init.normal_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, 1)
        return torch.cat([self.norm(first), second], 1)


class GroupNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(2, CHANNELS)
        nn.init.normal_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        flat = functional.group_norm(x.flatten(2), 2, self.norm.weight, self.norm.bias, 1e-2)
        return self.norm(x) + flat.view(x.shape)


class SpatialLayerNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = functional.layer_norm(x, x.shape[1:], eps=1e-2) + functional.layer_norm(x, x.shape[2:], eps=1e-2)
        return y + functional.layer_norm(x.permute(0, 2, 3, 1), (*x.shape[2:], CHANNELS)).permute(0, 3, 1, 2)


ONE_WINDOW_NETWORKS: tuple[type[nn.Module], ...] = (
    SqueezeExcitation, KeptMean, SequentialMeans, SumOverCount, FlattenedMean, ViewedMean, LinearGate, AddmmGate,
    ChannelsLast, Tokens, LargeKernelOnOnePixel, GroupedGate, NormalisedGate, EfficientChannelAttention,
    SelectiveFusion, SplitGate, ChannelStatistics, Spread, ScalarsOfTheCount, SeveralStatistics,
    ChannelAndSpaceMean, VarianceForms, WrittenOutVariance, WrittenOutNorm,
    WrittenOutLayerNorm, SimpleAttention,
    RepresentativeBatchNorm, MaximumForms, LogSumExpForms, ResponseNorm, GlobalContext, InstanceNorm,
    HalfInstanceNorm, GroupNorm, SpatialLayerNorm,
)  # fmt: skip
