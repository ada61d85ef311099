"""Strips of fixed extent are named with their place; a cyclic shift is none."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.captured import captured
from tlcconvert.capture.fixed_strips import fixed_strips

aten = torch.ops.aten


class HalvesOfTheExample(nn.Module):
    """What is left of ``x[:, :, : int(H / 2)]`` where the example had 8 rows."""

    def forward(self, x: Tensor) -> Tensor:
        upper, lower = aten.slice.Tensor(x, 2, 0, 4), aten.slice.Tensor(x, 2, 4)
        return torch.cat([upper.sin(), lower.cos()], 2)


class Halves(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        half = x.shape[2] // 2
        return torch.cat([x[:, :, :half].sin(), x[:, :, half:].cos()], 2)


class Shifted(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([aten.slice.Tensor(x, 3, 2), aten.slice.Tensor(x, 3, 0, 2)], 3)


class PartOfTheChannels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return aten.slice.Tensor(x, 1, 0, 2)


def test_a_half_that_is_a_number_is_named() -> None:
    sentence = fixed_strips(captured(HalvesOfTheExample(), size=(8, 10)))
    assert sentence.startswith("the file cuts a map at a fixed place, 4 of it at node ")
    assert sentence.endswith("whatever the height")


def test_what_follows_the_size_is_not() -> None:
    for network in (Halves(), Shifted(), PartOfTheChannels()):
        assert fixed_strips(captured(network, size=(8, 10))) == ""
