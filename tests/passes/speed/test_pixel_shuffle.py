"""A pixel shuffle written as two interleavings moves every number to the same place."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from passes.program import runnable
from passes.speed.pixel_shuffle import pixel_shuffle
from tests.captured import captured


class Upsampler(nn.Module):
    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(x, self.factor).relu()


class OneMap(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(x[0], 2)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_every_number_stands_where_its_phase_says(factor: int) -> None:
    program = captured(Upsampler(factor), 2 * factor**2)
    assert len(pixel_shuffle(program).rewrites) == 1
    program.validate()
    rewritten = runnable(program)
    for batch, height, width in [(1, 1, 1), (3, 1, 5), (2, 4, 3)]:
        x = torch.rand(batch, 2 * factor**2, height, width)
        y = rewritten(x)
        assert y.shape == (batch, 2, height * factor, width * factor)
        for a in range(factor):
            for b in range(factor):
                assert torch.equal(y[..., a::factor, b::factor], x[:, a * factor + b :: factor**2])


def test_a_map_without_a_batch_stays() -> None:
    assert pixel_shuffle(captured(OneMap(), 8)).rewrites == ()
