"""A mean over channels written as a matrix product is the same mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from passes.program import runnable
from passes.speed.channel_mean import channel_mean
from tests.captured import captured


class ChannelLayerNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        return (x - mean) / (variance + 1e-6).sqrt()


class OtherMeans(nn.Module):
    """Over pixels, over a statistic's channels, without the axis kept."""

    def forward(self, x: Tensor) -> Tensor:
        s = x.mean((2, 3), keepdim=True)
        return x * s.mean(1, keepdim=True) + x.mean(1)[:, None]


def test_a_norm_over_channels_is_unchanged_at_every_size() -> None:
    program = captured(ChannelLayerNorm(), channels=6)
    result = channel_mean(program)
    assert len(result.rewrites) == 2
    rewritten = runnable(program)
    for shape in [(1, 6, 1, 1), (3, 6, 5, 1), (2, 6, 11, 4)]:
        x = torch.randn(shape, dtype=torch.float64)
        assert (rewritten(x) - ChannelLayerNorm()(x)).abs().max() < 1e-12
    program.validate()


def test_other_means_stay() -> None:
    assert channel_mean(captured(OtherMeans(), channels=6)).rewrites == ()
