"""A squeeze path that convolves before it averages yields the same squeeze."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from passes.program import runnable
from passes.speed.squeeze_first import squeeze_first
from tests.captured import captured

aten, tlc = torch.ops.aten, torch.ops.tlc


class SqueezePath(nn.Module):
    def __init__(self, channels: int, squeezed: int, **options: object) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1, **options)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.squeeze(tlc.local_mean(x, 4, 3)).relu()


class SqueezeOfConvolution(SqueezePath):
    """The map is a convolution's, with its activation."""

    def __init__(self, channels: int, squeezed: int, **options: object) -> None:
        super().__init__(channels, squeezed, **options)
        self.features = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.features(x).relu())


class OnAGrid(SqueezePath):
    """The mean of windows on a grid."""

    def forward(self, x: Tensor) -> Tensor:
        return self.squeeze(tlc.grid_mean(x, 4, 3, 2)).relu()


class OnAGridOfConvolution(OnAGrid):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__(channels, squeezed)
        self.features = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.features(x))


class MeanReadTwice(SqueezePath):
    def forward(self, x: Tensor) -> Tensor:
        mean = tlc.local_mean(x, 4, 3)
        return self.squeeze(mean) + mean.sum(1, keepdim=True)


class OneWindowPerStep(SqueezePath):
    """A strided convolution leaves out windows."""

    def __init__(self) -> None:
        super().__init__(8, 2, stride=2)


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize(
    ("build", "squeeze"),
    [(SqueezePath, aten.matmul.default), (SqueezeOfConvolution, aten.conv2d.default)],
    ids=["another map", "map of a convolution"],
)
def test_the_squeeze_is_unchanged_at_every_size(
    build: type[SqueezePath], squeeze: object, has_bias: bool
) -> None:
    network = build(8, 2, bias=has_bias)
    program = captured(network, channels=8)
    assert len(squeeze_first(program).rewrites) == 1
    (mean,) = (node for node in program.graph.nodes if node.target is tlc.local_mean.default)
    assert mean.meta["val"].shape[1] == 2
    squeezed = mean.args[0]
    assert (squeezed.args[0] if squeezed.target is aten.reshape.default else squeezed).target is squeeze
    rewritten = runnable(program)
    for shape in [(1, 8, 5, 5), (3, 8, 4, 3), (2, 8, 11, 6)]:
        x = torch.randn(shape, dtype=torch.float64)
        assert (rewritten(x) - network(x)).abs().max() < 1e-14
    program.validate()


def test_a_mean_on_a_grid_comes_after_the_convolution_of_another_convolution() -> None:
    network = OnAGridOfConvolution(8, 2)
    program = captured(network, channels=8)
    assert len(squeeze_first(program).rewrites) == 1
    (mean,) = (node for node in program.graph.nodes if node.target is tlc.grid_mean.default)
    assert mean.meta["val"].shape[1] == 2
    for shape in [(2, 8, 7, 9), (1, 8, 21, 17), (1, 8, 1, 1)]:
        x = torch.randn(shape, dtype=torch.float64)
        assert (runnable(program)(x) - network(x)).abs().max() < 1e-14


@pytest.mark.parametrize(
    "build",
    [lambda: SqueezePath(8, 4), lambda: MeanReadTwice(8, 2), OneWindowPerStep, lambda: OnAGrid(8, 2)],
)
def test_what_does_not_squeeze_enough_or_does_more_stays(build: type[nn.Module]) -> None:
    assert squeeze_first(captured(build(), channels=8)).rewrites == ()
