"""Channels filled up with zeros change nothing but the width of the maps between two convolutions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from passes.program import runnable
from passes.speed.whole_channel_blocks import whole_channel_blocks
from tests.captured import captured

aten = torch.ops.aten


class GatedFeedForward(nn.Module):
    """Restormer: two branches of a 1x1 and a depthwise convolution, one gates the other."""

    def __init__(self, channels: int, bias: bool = True) -> None:
        super().__init__()
        self.widen = nn.ModuleList(nn.Conv2d(3, channels, 1, bias=bias) for _ in range(2))
        self.depthwise = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding="same", groups=channels, bias=bias) for _ in range(2)
        )
        self.narrow = nn.Conv2d(channels, 3, 3, padding=1, bias=bias)

    def between(self, x: Tensor) -> Tensor:
        a, b = (second(first(x)) for first, second in zip(self.widen, self.depthwise, strict=True))
        return F.gelu(a) * b

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(self.between(x))


class TwoReaders(GatedFeedForward):
    """Two convolutions read the map, and one of them with weights that a third shares."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.between(x)
        return self.narrow(y) + self.narrow(y * 2)


class ReturnedMap(GatedFeedForward):
    def forward(self, x: Tensor) -> Tensor:
        return self.between(x)


class Normalised(GatedFeedForward):
    """The mean over channels counts them."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.between(x)
        return self.narrow(y - y.mean(1, keepdim=True))


class Divided(GatedFeedForward):
    """0 / 0 would reach the result as 0 * NaN."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.between(x)
        return self.narrow(y / (y + 1e-3))


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(GatedFeedForward(31), id="with biases"),
        pytest.param(GatedFeedForward(31, bias=False), id="without biases"),
        pytest.param(TwoReaders(30), id="weights read twice"),
    ],
)
def test_the_result_is_unchanged_at_every_size(network: nn.Module) -> None:
    program = captured(network)
    assert [rewrite.after for rewrite in whole_channel_blocks(program).rewrites] == ["32"]
    depthwise = [node for node in program.graph.nodes if node.target is aten.conv2d.padding]
    assert [node.meta["val"].shape[1] for node in depthwise] == [32, 32]
    rewritten = runnable(program)
    for shape in [(1, 3, 5, 5), (3, 3, 1, 4), (2, 3, 11, 6)]:
        x = torch.randn(shape, dtype=torch.float64)
        assert (rewritten(x) - network(x)).abs().max() < 1e-13
    program.validate()


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(GatedFeedForward(32), id="whole already"),
        pytest.param(GatedFeedForward(24), id="a third more"),
        pytest.param(ReturnedMap(31), id="returned"),
        pytest.param(Normalised(31), id="channels counted"),
        pytest.param(Divided(31), id="may divide by zero"),
    ],
)
def test_what_would_change_or_cost_more_stays(network: nn.Module) -> None:
    assert whole_channel_blocks(captured(network)).rewrites == ()
