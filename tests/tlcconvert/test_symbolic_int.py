"""``int`` of a size stays symbolic in the code of a network, and is the built-in for everything else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from tlcconvert.symbolic_int import SymbolicInt, symbolic_int


class HalvesWithInt(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert isinstance(3, int) and int("12") == 12 and int(2.5) == 2
        return x[..., int(x.shape[-1] / 2) :]


def test_a_truncated_quotient_follows_the_size_of_the_image() -> None:
    network = HalvesWithInt()
    with symbolic_int(network):
        program = torch.export.export(network, (torch.rand(2, 3, 9),), dynamic_shapes=({2: Dim.DYNAMIC},))
    image = torch.rand(2, 3, 14)
    torch.testing.assert_close(program.module(check_guards=False)(image), image[..., 7:])


def test_the_built_in_is_back_afterwards_even_after_an_error() -> None:
    def fail() -> None:
        with symbolic_int(HalvesWithInt()):
            assert globals()["int"] is SymbolicInt
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "int" not in globals()
