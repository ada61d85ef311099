"""Slices become a split where they are the whole of an axis, and stay where they are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from passes.program import runnable
from passes.simplify.slices_as_split import slices_as_split
from tests.captured import captured

aten = torch.ops.aten


class Sliced(nn.Module):
    def __init__(self, function: Callable[[Tensor], list[Tensor]]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([part.sin().flatten() for part in self.function(x)])


def channels(x: Tensor, start: int | None, end: int | None, step: int = 1) -> Tensor:
    return aten.slice.Tensor(x, 1, start, end, step)


def halves(x: Tensor) -> list[Tensor]:
    return [channels(x, None, 3), channels(x, 3, None)]


def in_any_order_and_twice(x: Tensor) -> list[Tensor]:
    return [channels(x, 4, 6), channels(x, 0, 2), channels(x, -4, -2), channels(x, 0, 2)]


def with_a_gap(x: Tensor) -> list[Tensor]:
    return [channels(x, 0, 2), channels(x, 4, 6)]


def that_overlap(x: Tensor) -> list[Tensor]:
    return [channels(x, 0, 4), channels(x, 3, 6), channels(x, 4, 6)]


def with_steps(x: Tensor) -> list[Tensor]:
    return [channels(x, 0, 6, 2), channels(x, 1, 6, 2)]


def along_an_axis_of_any_length(x: Tensor) -> list[Tensor]:
    return [aten.slice.Tensor(x, 2, 0, 2), aten.slice.Tensor(x, 2, 2, 4)]


@pytest.mark.parametrize(("function", "parts"), [(halves, [3, 3]), (in_any_order_and_twice, [2, 2, 2])])
def test_what_covers_an_axis_is_a_split(function: Callable[[Tensor], list[Tensor]], parts: list[int]) -> None:
    program = captured(Sliced(function), channels=6)
    assert len(slices_as_split(program).rewrites) == 1
    (split,) = program.graph.find_nodes(op="call_function", target=aten.split_with_sizes.default)
    assert split.args[1] == parts
    assert not program.graph.find_nodes(op="call_function", target=aten.slice.Tensor)
    image = torch.rand(1, 6, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(runnable(program)(image), Sliced(function)(image))


@pytest.mark.parametrize("function", [with_a_gap, that_overlap, with_steps, along_an_axis_of_any_length])
def test_what_does_not_stays_slices(function: Callable[[Tensor], list[Tensor]]) -> None:
    program = captured(Sliced(function), channels=6)
    before = [node.target for node in program.graph.nodes]
    assert slices_as_split(program).rewrites == ()
    assert [node.target for node in program.graph.nodes] == before
