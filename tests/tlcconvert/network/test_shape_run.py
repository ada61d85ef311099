"""What a network says of a size on shapes alone is what it says when it is run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tlcconvert.network.network_inputs import ExtraInput, NetworkInputs
from tlcconvert.network.shape_run import ShapeRun, reads_values


class Halves(nn.Module):
    """Down by two and up again, beside the image: odd sizes do not fit."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.seen: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.seen = self.conv(x)
        return x + nn.functional.interpolate(nn.functional.max_pool2d(self.seen, 2), scale_factor=2)


def test_a_size_is_refused_where_running_refuses_it() -> None:
    run = ShapeRun(Halves(), NetworkInputs(3))
    assert run(32, 48, 2).shapes == ((2, 3, 32, 48),)
    assert run(33, 48, 2).reason.startswith("RuntimeError: ")


def test_nothing_is_computed_and_the_network_is_left_as_it_was() -> None:
    network = Halves()
    weight = network.conv.weight.clone()
    assert ShapeRun(network, NetworkInputs(3))(1 << 20, 1 << 20, 64)
    assert network.seen is None
    assert torch.equal(network.conv.weight, weight)


class Merges(nn.Module):
    """Writes a weight on every call (SPAN)."""

    def __init__(self) -> None:
        super().__init__()
        self.trained, self.merged = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        self.merged.weight.data = self.trained.weight.data * 2
        return self.merged(x)


def test_a_network_that_writes_its_weights_keeps_them() -> None:
    network = Merges()
    merged = network.merged.weight.clone()
    assert ShapeRun(network, NetworkInputs(3))(32, 32, 1)
    assert torch.equal(network.merged.weight, merged)


class Masked(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x * mask if mask.mean() > 0 else x


def test_code_that_asks_for_a_value_is_told_from_a_size_that_does_not_fit() -> None:
    run = ShapeRun(Masked(), NetworkInputs(3, (ExtraInput("mask"),)))
    assert reads_values(run(32, 32, 1).reason)
    assert not reads_values(ShapeRun(Halves(), NetworkInputs(3))(33, 48, 1).reason)
