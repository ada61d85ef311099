"""A program of another graph over the same tensors."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.export import ExportedProgram

from passes.program import graph_copy, user_inputs
from passes.torch_internals.own_graph import with_graph


@pytest.fixture
def program() -> ExportedProgram:
    return torch.export.export(nn.Linear(3, 2), (torch.rand(1, 3),))


def test_its_graph_is_its_own_and_its_tensors_are_shared(program: ExportedProgram) -> None:
    before, weights = str(program.graph), dict(program.state_dict)
    own = with_graph(program, graph_copy(program))
    user_inputs(own)[0].append(own.graph.call_function(torch.relu, (user_inputs(own)[0],)))
    del own.state_dict["bias"]
    own.graph_signature.input_specs.pop()
    assert str(program.graph) == before
    assert program.state_dict.keys() == weights.keys() and len(program.graph_signature.input_specs) == 3
    assert own.state_dict["weight"] is weights["weight"]


def test_no_copy_of_python_does_that(program: ExportedProgram) -> None:
    """Where this fails, a copy has a graph of its own over the same tensors: use that."""
    shallow, deep = copy.copy(program), copy.deepcopy(program)
    assert shallow.graph is program.graph
    assert deep.state_dict["weight"].data_ptr() != program.state_dict["weight"].data_ptr()


def test_it_runs_as_the_first_does(program: ExportedProgram) -> None:
    own, image = with_graph(program, graph_copy(program)), torch.rand(1, 3)
    torch.testing.assert_close(own.module()(image), program.module()(image))
