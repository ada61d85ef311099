"""An exported program runs its guards before its graph."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from passes.torch_internals.guards import drop_guards, guards_of, set_guards, without_guards

SMALL = "L['input'].size()[0] < 20"


@pytest.fixture
def guarded() -> ExportedProgram:
    program = torch.export.export(nn.ReLU(), (torch.rand(9),), dynamic_shapes=({0: Dim.DYNAMIC},))
    set_guards(program, [SMALL])
    return program


def test_they_keep_the_graph_from_running(guarded: ExportedProgram) -> None:
    """Where this fails, PyTorch reads the guards elsewhere, and the functions of the file are without effect."""
    assert guarded.module()(torch.rand(19)).shape == (19,)
    with pytest.raises(AssertionError, match="Guard failed"):
        guarded.module()(torch.rand(20))


def test_without_them_it_runs(guarded: ExportedProgram) -> None:
    drop_guards(guarded)
    assert guards_of(guarded) == ()
    assert guarded.module()(torch.rand(20)).shape == (20,)


def test_they_are_back_even_after_an_error(guarded: ExportedProgram) -> None:
    def fail() -> None:
        with without_guards(guarded):
            assert guards_of(guarded) == ()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert guards_of(guarded) == (SMALL,)


@pytest.mark.parametrize("name", ["guards", "guards_code"])
def test_a_program_does_not_tell_them(guarded: ExportedProgram, name: str) -> None:
    """Where this fails, use that name."""
    assert not hasattr(guarded, name)
