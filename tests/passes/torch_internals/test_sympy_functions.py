"""Sizes are written in functions that are PyTorch's own."""

from __future__ import annotations

import importlib.util

import sympy
import torch
from torch import Tensor, nn
from torch.export import Dim

from passes.torch_internals.sympy_functions import FloorDiv, PythonReferenceAnalysis, sympy_interp


class Half(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image[: image.shape[0] // 2]


def test_the_quotient_of_a_size_is_none_of_sympy() -> None:
    """Where this fails, sizes can be read with sympy alone."""
    program = torch.export.export(Half(), (torch.rand(9),), dynamic_shapes=({0: Dim.DYNAMIC},))
    (output,) = program.graph.output_node().args[0]
    size = output.meta["val"].shape[0].node.expr
    assert size.has(FloorDiv) and not size.has(sympy.floor)
    (symbol,) = size.free_symbols
    assert sympy_interp(PythonReferenceAnalysis, {symbol: 11}, size) == 5


def test_no_public_module_has_them() -> None:
    assert importlib.util.find_spec("torch.utils.sympy") is None
