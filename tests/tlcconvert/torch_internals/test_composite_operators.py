"""Composite operators are those that a decomposition with an empty table takes apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tlcconvert.torch_internals.composite_operators import is_composite

aten = torch.ops.aten


class Chunks(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        first, second = image.chunk(2)
        return torch.relu(first).reshape(-1) + second.reshape(-1)


def test_they_are_what_it_takes_apart() -> None:
    before = torch.export.export(Chunks(), (torch.rand(4, 3),))
    after = before.run_decompositions({})
    gone, kept = (
        {
            node.target
            for node in program.graph.nodes
            if node.op == "call_function" and hasattr(node.target, "tags")
        }
        for program in (before, after)
    )
    assert gone - kept == {aten.chunk.default, aten.reshape.default}
    assert all(is_composite(target) for target in gone - kept)
    assert not any(is_composite(target) for target in kept)


@pytest.mark.parametrize("name", ["is_composite", "is_composite_implicit_autograd", "decomposes"])
def test_an_operator_does_not_tell_by_itself(name: str) -> None:
    """Where this fails, PyTorch has a public name for it: use that."""
    assert not hasattr(aten.chunk.default, name)
