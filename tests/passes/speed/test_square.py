"""A square written as a product is the same number; other powers stay."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from passes.program import runnable
from passes.speed.square import square
from tests.captured import captured


class Powers(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.pow(2) + x**2.0 + x**3 + x.abs() ** 0.5 + (x > 0).long() ** 2


def test_squares_of_maps_are_products() -> None:
    program = captured(Powers())
    assert len(square(program).rewrites) == 2
    program.validate()
    x = torch.randn(3, 3, 4, 6, dtype=torch.float64)
    assert torch.equal(runnable(program)(x), Powers()(x))
