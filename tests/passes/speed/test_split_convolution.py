"""A convolution taken apart where its channels are split computes the same parts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import ExportedProgram

from passes.program import runnable
from passes.speed.split_convolution import split_convolution
from tests.captured import captured

aten = torch.ops.aten


class SimpleGate(nn.Module):
    """NAFNet: a 1x1 and a depthwise 3x3 convolution, halves multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Conv2d(3, 8, 1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.depthwise(self.widen(x)).chunk(2, dim=1)
        return a * b


class UnevenParts(nn.Module):
    """Three parts of different sizes of a strided, dilated convolution whose input has groups of two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Conv2d(3, 12, 3, padding="same")
        self.grouped = nn.Conv2d(12, 6, 3, stride=2, padding=(2, 1), dilation=2, groups=6)

    def forward(self, x: Tensor) -> Tensor:
        a, b, c = self.grouped(self.widen(x)).split([1, 2, 3], dim=1)
        return torch.cat([a.relu(), b * 2, c.sigmoid()], dim=1)


class PartsForAttention(nn.Module):
    """The parts are reshaped: nothing is gained by computing them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.qk = nn.Conv2d(3, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k = self.qk(x).chunk(2, dim=1)
        return F.softmax(q.flatten(2) @ k.flatten(2).mT, dim=-1)


class ReadElsewhere(nn.Module):
    """The whole map is used beside its halves."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution(x)
        a, b = y.chunk(2, dim=1)
        return torch.cat([a * b, y], dim=1)


class InputReadElsewhere(nn.Module):
    """The depthwise convolution's input is used beside it, so it would be computed twice."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Conv2d(3, 8, 1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.widen(x)
        a, b = self.depthwise(y).chunk(2, dim=1)
        return torch.cat([a * b, y], dim=1)


class PartsAcrossGroups(nn.Module):
    """The parts end inside a group of output channels."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.grouped(torch.cat([x, x[:, :1]], dim=1)).split([2, 6], dim=1)
        return a.relu().sum(1, keepdim=True) * b


def splits(program: ExportedProgram) -> int:
    return sum(
        node.target in (aten.split.Tensor, aten.split_with_sizes.default) for node in program.graph.nodes
    )


@pytest.mark.parametrize(("build", "convolutions"), [(SimpleGate, 4), (UnevenParts, 6)])
def test_each_part_is_its_own_convolution_and_unchanged(build: type[nn.Module], convolutions: int) -> None:
    network = build()
    program = captured(network)
    assert len(split_convolution(program).rewrites) == 1
    assert splits(program) == 0
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    assert sum(node.target in (aten.conv2d.default, aten.conv2d.padding) for node in nodes) == convolutions
    rewritten = runnable(program)
    for shape in [(1, 3, 5, 5), (3, 3, 8, 5), (2, 3, 11, 6)]:
        x = torch.randn(shape, dtype=torch.float64)
        assert (rewritten(x) - network(x)).abs().max() < 1e-13
    program.validate()


@pytest.mark.parametrize("build", [PartsForAttention, ReadElsewhere, InputReadElsewhere, PartsAcrossGroups])
def test_what_would_cost_more_stays(build: type[nn.Module]) -> None:
    program = captured(build())
    assert split_convolution(program).rewrites == ()
    assert splits(program) == 1
