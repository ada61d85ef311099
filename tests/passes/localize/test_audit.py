"""Whatever reads the whole image and is no door is named; whatever reads a fixed neighbourhood is not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from passes.fold.batch_norm import TrainingBatchNorm
from passes.localize import Localized, Training, localize
from passes.program import runnable
from tests.passes.localize.captured import captured
from tests.passes.localize.squeeze_networks import CHANNELS
from tlcconvert.pipeline import FOLD, SIMPLIFY, run_steps

TRAINING = Training((8, 8), (5, 4))


class ImageSpectrum(nn.Module):
    """Convolution of the spectrum (fast Fourier convolution, NeurIPS 2020)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.ifft2(torch.fft.fft2(x) * 0.5).real


class RowSpectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.fft.fft(x, dim=2).abs()


class PixelAttention(nn.Module):
    """Every pixel attends to every pixel (Non-local Neural Networks, CVPR 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.flatten(2)
        attention = (pixels.transpose(1, 2) @ pixels).softmax(-1)
        return (attention @ pixels.transpose(1, 2)).transpose(1, 2).reshape(x.shape)


class FusedPixelAttention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pixels = x.flatten(2).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(pixels, pixels, pixels)
        return attended.transpose(1, 2).reshape(x.shape)


class PyramidPooling(nn.Module):
    """A fixed number of cells (PSPNet, CVPR 2017)."""

    def forward(self, x: Tensor) -> Tensor:
        cells = functional.adaptive_avg_pool2d(x, 2)
        return x + functional.interpolate(cells, size=x.shape[2:], mode="bilinear")


class PyramidMaximum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + functional.interpolate(functional.adaptive_max_pool2d(x, 3), size=x.shape[2:])


class BatchStatistics(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(CHANNELS, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class Median(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.flatten(2).median(-1).values[..., None, None]


class Quantile(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.flatten(2).kthvalue(2, dim=-1).values[..., None, None]


class SortedPixels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + x.flatten(2).sort(-1).values.reshape(x.shape)


class GramMatrix(nn.Module):
    """What a linear layer over flattened pixels computes, with weights that fit every size."""

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.flatten(2)
        gram = pixels @ pixels.transpose(1, 2)
        return (gram @ pixels).reshape(x.shape)


class EinsumGramMatrix(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nchw,ndhw,ndij->ncij", x, x, x)


class StripPooling(nn.Module):
    """Means of whole rows (Strip Pooling, CVPR 2020)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean(3, keepdim=True).sigmoid()


class StripMaximum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.amax(2, keepdim=True).sigmoid()


class StripAdaptivePool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * functional.adaptive_avg_pool2d(x, (None, 1)).sigmoid()


class Thumbnail(nn.Module):
    """Resized to a fixed height and back."""

    def forward(self, x: Tensor) -> Tensor:
        small = functional.interpolate(x, size=(4, x.shape[3]), mode="bilinear")
        return x + functional.interpolate(small, size=x.shape[2:])


class LearnedQueries(nn.Module):
    """A fixed number of queries reads all pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(3, CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.flatten(2).transpose(1, 2)
        queries = self.queries.expand(x.shape[0], -1, -1)
        tokens = functional.scaled_dot_product_attention(queries, pixels, pixels)
        return x * tokens.mean(1)[..., None, None]


class RunningSum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(2)


class PixelSoftmax(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.flatten(2).softmax(-1).reshape(x.shape)


class BatchMean(nn.Module):
    """A mean over the batch as well is no statistic of one image."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean()


class RowNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(x, dim=3)


GLOBAL = {
    ImageSpectrum: {"Fourier transform"},
    RowSpectrum: {"Fourier transform"},
    PixelAttention: {"softmax over pixels", "matrix product over pixels"},
    FusedPixelAttention: {"attention over pixels"},
    PyramidPooling: {"reduction to a fixed size"},
    PyramidMaximum: {"reduction to a fixed size"},
    BatchStatistics: {"batch norm on batch statistics"},
    Median: {"global order statistic"},
    Quantile: {"global order statistic"},
    SortedPixels: {"sort over pixels"},
    GramMatrix: {"matrix product over pixels"},
    EinsumGramMatrix: {"matrix product over pixels"},
    StripPooling: {"global mean"},
    StripMaximum: {"global maximum"},
    StripAdaptivePool: {"reduction to a fixed size"},
    Thumbnail: {"reduction to a fixed size"},
    LearnedQueries: {"attention over pixels"},
    RunningSum: {"running sum over pixels"},
    PixelSoftmax: {"softmax over pixels"},
    BatchMean: {"global mean"},
    RowNorm: {"global norm"},
}


def named(architecture: type[nn.Module]) -> str:
    return architecture.__name__


def localized_inside(network: nn.Module) -> tuple[Localized, nn.Module, nn.Module]:
    """What localising says about ``network`` as the layer ``body.0``, and the graph after and the network before."""
    torch.manual_seed(1)
    whole = nn.ModuleDict({"body": nn.Sequential(network)})
    whole.forward = whole["body"].forward  # type: ignore[method-assign]
    program = captured(whole.double().eval())
    localized = localize(program, TRAINING)
    program.validate()
    return localized, runnable(program), network


@pytest.mark.parametrize("architecture", GLOBAL, ids=named)
def test_what_reads_the_whole_image_is_named_and_left(architecture: type[nn.Module]) -> None:
    localized, graph, network = localized_inside(architecture())
    assert not localized.sites
    assert {skipped.kind for skipped in localized.skipped} == GLOBAL[architecture]
    for skipped in localized.skipped:
        assert skipped.where.startswith("body.0")
        assert "(test_audit.py:" in skipped.where
        assert skipped.reason
    x = torch.randn(3, CHANNELS, 11, 14, dtype=torch.float64)
    assert torch.equal(graph(x), network(x))


def test_each_place_is_named_once() -> None:
    network = nn.Sequential(PixelSoftmax(), nn.ReLU(), PixelSoftmax(), RunningSum())
    localized, _, _ = localized_inside(network)
    assert [(skipped.kind, skipped.where.split()[0]) for skipped in localized.skipped] == [
        ("softmax over pixels", "body.0.0"),
        ("softmax over pixels", "body.0.2"),
        ("running sum over pixels", "body.0.3"),
    ]


def test_a_batch_norm_in_training_mode_is_refused_by_name() -> None:
    network = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1), nn.BatchNorm2d(CHANNELS)).double().train()
    program = captured(network)
    run_steps(SIMPLIFY, program)
    with pytest.raises(TrainingBatchNorm, match="1 "):
        run_steps(FOLD, program)


def test_a_batch_norm_in_training_mode_is_named() -> None:
    network = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1), nn.BatchNorm2d(CHANNELS)).double().train()
    localized = localize(captured(network), TRAINING)
    assert [skipped.kind for skipped in localized.skipped] == ["batch norm on batch statistics"]


class Windows(nn.Module):
    """Attention over pixels and over channels, and a norm, inside 4x4 windows of the padded map."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(CHANNELS)
        self.qkv = nn.Linear(CHANNELS, 3 * CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        x = functional.pad(x, (0, -width % 4, 0, -height % 4))
        rows, columns = x.shape[2] // 4, x.shape[3] // 4
        y = x.view(batch, channels, rows, 4, columns, 4).permute(0, 2, 4, 3, 5, 1)
        q, k, v = self.qkv(self.norm(y.reshape(-1, 16, channels))).chunk(3, -1)
        y = (q @ k.transpose(-2, -1)).softmax(-1) @ v
        y = (y - y.mean(1, keepdim=True)) / (y.var(1, keepdim=True) + 1)
        y = functional.normalize(y, dim=1).transpose(1, 2)
        y = ((y @ y.transpose(1, 2)).softmax(-1) @ y).transpose(1, 2)
        y = y.view(batch, rows, columns, 4, 4, channels).permute(0, 5, 1, 3, 2, 4)
        return y.reshape(batch, channels, rows * 4, columns * 4)[:, :, :height, :width]


class ChannelLayerNorm(nn.Module):
    """Over the channels of each pixel, in the three ways networks write it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y = self.norm(y.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(x.shape)
        mean, variance = y.mean(1, keepdim=True), y.var(1, keepdim=True, correction=0)
        return (y - mean) / (variance + 1e-6).sqrt()


class StaticPools(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = functional.avg_pool2d(x, 2) + functional.max_pool2d(x, 2)
        y = functional.interpolate(y, scale_factor=2, mode="bilinear")
        return y + functional.avg_pool2d(y, 3, 1, 1)


class Shuffles(nn.Module):
    """Space to depth and back."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_unshuffle(functional.pixel_shuffle(x, 2), 2)


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(CHANNELS, 6, 1),
            nn.Conv2d(6, 6, 5, 2, 2, groups=3),
            nn.ConvTranspose2d(6, CHANNELS, 2, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class ChannelGates(nn.Module):
    """Softmax, mean, maximum and norm over channels (the spatial half of CBAM), and a simple gate."""

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        a, b = x.chunk(2, 1)
        return x.softmax(1) * functional.normalize(x, dim=1) + (maps.sum(1, keepdim=True) + a * b).repeat(
            1, 2, 1, 1
        )


class TokenLayerNorm(nn.Module):
    """A norm over the channels of [N, H * W, C], written out (Restormer, CVPR 2022)."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        mean, variance = tokens.mean(-1, keepdim=True), tokens.var(-1, keepdim=True, unbiased=False)
        return ((tokens - mean) / torch.sqrt(variance + 1e-5)).transpose(1, 2).reshape(x.shape)


class TypedLikeTheImage(nn.Module):
    """A constant per channel, of the type the image has."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(1, CHANNELS, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.shift.type_as(x) * self.shift.to(x)


class Neighbourhoods(nn.Module):
    """3x3 neighbourhoods gathered and contracted with weights per pixel (KBNet's kernel basis)."""

    def forward(self, x: Tensor) -> Tensor:
        columns = functional.unfold(x, 3, padding=1).unflatten(1, (CHANNELS, 9))
        return (columns.softmax(2) * columns).sum(2).reshape(x.shape)


class PixelwiseMatrix(nn.Module):
    """A matrix product over channels, pixels on the other axis."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(CHANNELS, CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("nchw,dc->ndhw", x, self.weight)
        return (self.weight @ y.flatten(2)).reshape(x.shape) + (
            y.flatten(2).transpose(1, 2) @ self.weight
        ).transpose(1, 2).reshape(x.shape)


class FixedKeys(nn.Module):
    """Every pixel reads a fixed number of learned keys."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(1, 3, CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        pixels, keys = x.flatten(2).transpose(1, 2), self.keys.expand(x.shape[0], -1, -1)
        return functional.scaled_dot_product_attention(pixels, keys, keys).transpose(1, 2).reshape(x.shape)


class LargerOfTwo(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.max(x, x.flip(1)) - torch.min(x, x * x) + x.new_zeros(1, CHANNELS, 1, 1)


class ShiftedMap(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.roll((1, -1), (2, 3)) + x.flip(3) + functional.pad(x, (1, 1, 1, 1), "reflect")[:, :, 2:, :-2]


class ChannelSpectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.fft.fft(x, dim=1).abs()


class FrozenNorms(nn.Module):
    """Batch and instance norm on running statistics are affine."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.Sequential(
            nn.BatchNorm2d(CHANNELS), nn.InstanceNorm2d(CHANNELS, track_running_stats=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.norms(x)


LOCAL = (
    Windows, ChannelLayerNorm, StaticPools, Shuffles, Convolutions, ChannelGates, Neighbourhoods, PixelwiseMatrix,
    TypedLikeTheImage, TokenLayerNorm, FixedKeys, LargerOfTwo, ShiftedMap, ChannelSpectrum, FrozenNorms,
)  # fmt: skip


@pytest.mark.parametrize("architecture", LOCAL, ids=named)
def test_what_reads_a_fixed_neighbourhood_is_neither_touched_nor_named(architecture: type[nn.Module]) -> None:
    localized, graph, network = localized_inside(architecture())
    assert not localized.sites
    assert not localized.skipped
    x = torch.randn(3, CHANNELS, 12, 16, dtype=torch.float64)
    with torch.no_grad():
        assert (graph(x) - network(x)).abs().max() < 1e-12
