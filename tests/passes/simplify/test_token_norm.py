"""A norm of tokens computed on their map is the same norm, and its transpositions are gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from passes.program import runnable
from passes.simplify.token_norm import token_norm
from tests.captured import captured

aten = torch.ops.aten
CHANNELS = 6


class WrittenOut(nn.Module):
    """Restormer's norm: tokens by permutation and reshape, mean and variance written out."""

    def __init__(self, unbiased: bool = False) -> None:
        super().__init__()
        self.unbiased = unbiased
        self.weight = nn.Parameter(torch.randn(CHANNELS))
        self.bias = nn.Parameter(torch.randn(CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        tokens = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        mean = tokens.mean(-1, keepdim=True)
        variance = tokens.var(-1, keepdim=True, unbiased=self.unbiased)
        normal = (tokens - mean) / torch.sqrt(variance + 1e-5) * self.weight + self.bias
        return normal.reshape(batch, height, width, channels).permute(0, 3, 1, 2) * 2


class LayerNorm(nn.Module):
    """Tokens by flattening and transposition, with an activation behind the norm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(CHANNELS)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x.flatten(2).transpose(1, 2)).relu()
        return tokens.transpose(1, 2).reshape(x.shape)


class ChannelsLast(nn.Module):
    """Pixels are not flattened; the norm has no scale and no shift."""

    def forward(self, x: Tensor) -> Tensor:
        normal = nn.functional.layer_norm(x.permute(0, 2, 3, 1), (CHANNELS,))
        return normal.permute(0, 3, 1, 2)


class AcrossTokens(nn.Module):
    """A softmax over tokens takes more than one pixel."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        mixed = (tokens - tokens.mean(-1, keepdim=True)).softmax(1)
        return mixed.transpose(1, 2).reshape(x.shape)


class ReadAsTokens(nn.Module):
    """The norm is used as tokens as well."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = nn.functional.layer_norm(x.flatten(2).transpose(1, 2), (CHANNELS,))
        return tokens.transpose(1, 2).reshape(x.shape) * tokens.sum((1, 2))[:, None, None, None]


class Turned(nn.Module):
    """The tokens return as a map turned by a quarter."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        tokens = nn.functional.layer_norm(x.flatten(2).transpose(1, 2), (CHANNELS,))
        return tokens.transpose(1, 2).reshape(batch, channels, width, height)


@pytest.mark.parametrize("build", [WrittenOut, lambda: WrittenOut(unbiased=True), LayerNorm, ChannelsLast])
def test_the_norm_is_unchanged_and_nothing_is_transposed(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    network = build()
    program = captured(network, channels=CHANNELS)
    assert [change.kind for change in token_norm(program).rewrites].count("norm of tokens") == 1
    moves = (aten.permute.default, aten.transpose.int)
    assert not any(node.target in moves for node in program.graph.nodes)
    program.validate()
    for shape in [(1, CHANNELS, 1, 1), (3, CHANNELS, 1, 5), (2, CHANNELS, 8, 3)]:
        x = torch.randn(shape, dtype=torch.float64)
        assert (runnable(program)(x) - network(x)).abs().max() < 1e-12


@pytest.mark.parametrize("build", [AcrossTokens, ReadAsTokens, Turned])
def test_what_mixes_tokens_or_is_used_otherwise_stays(build: type[nn.Module]) -> None:
    program = captured(build(), channels=CHANNELS)
    assert token_norm(program).rewrites == ()
    x = torch.randn(2, CHANNELS, 4, 5, dtype=torch.float64)
    assert torch.equal(runnable(program)(x), build()(x))
