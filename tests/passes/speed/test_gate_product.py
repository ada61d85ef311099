"""A gate multiplied in parts gives the same numbers; one that something else reads stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import passes.statistics  # noqa: F401
from passes.localize.exact_counterpart import exact_counterpart
from passes.program import runnable
from passes.speed.gate_product import gate_product
from tests.captured import captured

tlc = torch.ops.tlc


class Network(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def gate(x: Tensor, channels: int = 4) -> Tensor:
    interior = tlc.local_mean(x[:, :channels], 3, 4).sigmoid()
    return tlc.replicate(interior, x.shape[2], x.shape[3])


def coarse_gate(x: Tensor) -> Tensor:
    grid = tlc.grid_mean(x, 6, 4, 3).sigmoid()
    return tlc.grid_spread(grid, x.shape[2], x.shape[3], 6, 4, 3)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x * gate(x)).relu(),
        lambda x: gate(x) * x.relu() + x,
        lambda x: (x * coarse_gate(x)).relu(),
    ],
)
@pytest.mark.parametrize("shape", [(2, 4, 9, 8), (1, 4, 2, 3), (3, 4, 17, 3)])
def test_a_gate_is_multiplied_in_parts(function: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
    program = captured(Network(function), channels=4)
    assert len(gate_product(program).rewrites) == 1
    program.graph.lint()
    targets = {node.target for node in program.graph.nodes}
    assert not targets & {tlc.replicate.default, tlc.grid_spread.default}
    x = torch.randn(shape, dtype=torch.float64)
    assert torch.equal(runnable(program)(x), function(x))


def test_behind_a_coarse_gate_there_is_the_gate_of_every_window() -> None:
    program = captured(Network(lambda x: (x * coarse_gate(x)).relu()), channels=4)
    gate_product(program)
    x = torch.randn(2, 4, 17, 9, dtype=torch.float64)
    every_window = tlc.replicate(tlc.local_mean(x, 6, 4).sigmoid(), 17, 9)
    assert torch.equal(exact_counterpart(runnable(program))(x), (x * every_window).relu())


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: x * gate(x), id="the product is the result"),
        pytest.param(lambda x: (x * gate(x, 1)).relu(), id="one gate for all channels"),
        pytest.param(lambda x: (y := gate(x)) * x.relu() + y, id="something else reads the gate"),
        pytest.param(lambda x: (x + gate(x)).relu(), id="a sum"),
    ],
)
def test_everything_else_stays(function: Callable[[Tensor], Tensor]) -> None:
    assert gate_product(captured(Network(function), channels=4)).rewrites == ()
