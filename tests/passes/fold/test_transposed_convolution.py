"""Scales and shifts after a transposed convolution fold into it; nothing else does."""

from __future__ import annotations

import torch
from torch import nn

from tests.passes.fold.blocks import randomise
from tests.passes.fold.programs import folded, largest_error, operations


class Scaled(nn.Module):
    def __init__(self, groups: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=groups)
        self.scale = nn.Parameter(torch.ones(1, 6, 1, 1))
        self.shift = nn.Parameter(torch.ones(6, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.5 - (self.up(x) * self.scale + self.shift) / 3


def test_chain_of_scales_and_shifts_becomes_one_transposed_convolution() -> None:
    for groups in (1, 2):
        work = folded(randomise(Scaled(groups)))
        assert operations(work.program) == ["aten.conv_transpose2d.input"]
        assert largest_error(work) <= 1e-5


def test_scale_that_varies_over_the_image_stays() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose2d(4, 4, 2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.up(x) * x.mean((2, 3), keepdim=True)

    work = folded(randomise(Gated()))
    assert "aten.mul.Tensor" in operations(work.program)
    assert not work.result.rewrites
