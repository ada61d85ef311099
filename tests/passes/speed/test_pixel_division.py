"""A division by one number per pixel as a product with reciprocals is the same within a rounding."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from passes.program import runnable
from passes.speed.pixel_division import pixel_division


class ByDeviation(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / (x.square().mean(1, keepdim=True) + 1e-6).sqrt()


class OtherDivisions(nn.Module):
    """By a whole map, by one number per channel, by a number, of a map of one channel."""

    def forward(self, x: Tensor) -> Tensor:
        whole = x / (x.abs() + 1) / (x.mean((2, 3), keepdim=True) + 3) / 2
        return whole + x[:, :1] / (x[:, 1:2].abs() + 1)


def captured(network: nn.Module) -> ExportedProgram:
    dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    example = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    return torch.export.export(network, (example,), dynamic_shapes=(dynamic,)).run_decompositions({})


def test_the_quotient_is_the_same_at_every_size() -> None:
    program = captured(ByDeviation())
    assert len(pixel_division(program).rewrites) == 1
    assert not any(node.target is torch.ops.aten.div.Tensor for node in program.graph.nodes)
    program.validate()
    for shape in [(1, 3, 1, 1), (3, 3, 4, 1), (2, 3, 9, 8)]:
        x = torch.randn(shape, dtype=torch.float64)
        assert (runnable(program)(x) - ByDeviation()(x)).abs().max() < 1e-14


def test_other_divisions_stay() -> None:
    assert pixel_division(captured(OtherDivisions())).rewrites == ()
