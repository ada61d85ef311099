"""A square written as a product is the same number; other powers stay."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from passes.program import runnable
from passes.speed.square import square


class Powers(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.pow(2) + x**2.0 + x**3 + x.abs() ** 0.5 + (x > 0).long() ** 2


def captured(network: nn.Module) -> ExportedProgram:
    dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    return torch.export.export(
        network, (torch.randn(2, 3, 5, 7),), dynamic_shapes=(dynamic,)
    ).run_decompositions({})


def test_squares_of_maps_are_products() -> None:
    program = captured(Powers())
    assert len(square(program).rewrites) == 2
    program.validate()
    x = torch.randn(3, 3, 4, 6)
    assert torch.equal(runnable(program)(x), Powers()(x))
