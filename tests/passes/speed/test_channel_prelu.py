"""A PReLU written as a sum of products is the same, whatever its slopes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from passes.program import runnable
from passes.speed.channel_prelu import channel_prelu
from tests.captured import captured


class Slopes(nn.Module):
    """Negative, none, gentle, one, and steeper than one."""

    def __init__(self) -> None:
        super().__init__()
        self.prelu = nn.PReLU(5)
        self.prelu.weight.data = torch.tensor([-0.5, 0.0, 0.25, 1.0, 3.0])

    def forward(self, x: Tensor) -> Tensor:
        return self.prelu(x)


class SlopesOfTheImage(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.prelu(x, x[0, :, 0, 0])


def test_both_sides_of_zero_are_unchanged() -> None:
    network = Slopes()
    program = captured(network, channels=5)
    assert len(channel_prelu(program).rewrites) == 1
    program.validate()
    for shape in [(1, 5, 1, 1), (3, 5, 4, 6)]:
        x = torch.randn(shape, dtype=torch.float64)
        assert (runnable(program)(x) - network(x)).abs().max() < 1e-14


def test_slopes_that_are_no_weights_stay() -> None:
    assert channel_prelu(captured(SlopesOfTheImage(), channels=5)).rewrites == ()
