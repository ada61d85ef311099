"""A size is settled by its example."""

from __future__ import annotations

import torch

from passes.torch_internals.example_size import with_example_of_at_least
from passes.torch_internals.names import DimDynamic, FakeTensorMode, ShapeEnv, StatelessSymbolicContext


def interior_of_an_example_of_9() -> torch.SymInt:
    mode = FakeTensorMode(shape_env=ShapeEnv())
    context = StatelessSymbolicContext(dynamic_sizes=[DimDynamic.DYNAMIC])
    size = mode.from_tensor(torch.empty(9), symbolic_context=context).shape[0]
    return size - torch.sym_min(12, size) + 1


def test_the_formula_stays_and_the_example_is_the_larger() -> None:
    size = interior_of_an_example_of_9()
    larger = with_example_of_at_least(size, 13)
    assert (str(larger.node.expr), larger.node.hint) == (str(size.node.expr), 13)
    assert with_example_of_at_least(larger, 5).node.hint == 13


def test_without_it_an_interior_that_can_be_longer_counts_as_one_pixel() -> None:
    """Where this fails, PyTorch no longer settles sizes by their formula's example: delete the file and its use."""
    assert interior_of_an_example_of_9() == 1
    assert with_example_of_at_least(interior_of_an_example_of_9(), 13) != 1
