"""Weights that were moved to a file are read from it where the program runs; what it computes does not change."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.export import ExportedProgram

from passes.program import add_parameter, runnable
from tlcconvert.capture.capture import capture
from tlcconvert.lower.mapped_weights import MappedWeights

IMAGE = torch.rand(2, 3, 24, 31)


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 256, 1), nn.Conv2d(256, 3, 1)
    return nn.Sequential(*layers).eval().requires_grad_(False)


@pytest.fixture
def program() -> ExportedProgram:
    return capture(network(), input_channels=3).program


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_the_program_computes_the_same_bits_before_and_after_its_memory_was_given_back(
    program: ExportedProgram, tmp_path: Path
) -> None:
    expected = runnable(program)(IMAGE)
    weights = MappedWeights(tmp_path)
    weights.move(program, ())
    moved = runnable(program)
    assert torch.equal(moved(IMAGE), expected)
    weights.release()
    assert torch.equal(moved(IMAGE), expected)
    assert torch.equal(runnable(program)(IMAGE), expected)


def test_only_large_tensors_that_nobody_shares_are_moved(program: ExportedProgram, tmp_path: Path) -> None:
    large = [name for name, tensor in program.state_dict.items() if tensor.nbytes >= 2**16]
    assert large == ["2.weight"]
    before = dict(program.state_dict)
    MappedWeights(tmp_path).move(program, [before["2.weight"]])
    assert program.state_dict == before
    assert size_of(tmp_path) == 0
    MappedWeights(tmp_path).move(program, ())
    assert [name for name in before if program.state_dict[name] is not before[name]] == large
    assert size_of(tmp_path) == before["2.weight"].nbytes


def test_a_second_move_takes_what_was_added_since(program: ExportedProgram, tmp_path: Path) -> None:
    weights = MappedWeights(tmp_path)
    weights.move(program, ())
    first = program.state_dict["2.weight"]
    added = torch.rand(300, 200).T
    node = add_parameter(program, "added", added)
    weights.move(program, ())
    assert program.state_dict["2.weight"] is first
    assert torch.equal(program.state_dict["added"], added)
    assert size_of(tmp_path) == first.nbytes + added.nbytes
    assert node.name == "p_added"


def test_equal_numbers_of_other_types_keep_their_place(program: ExportedProgram, tmp_path: Path) -> None:
    odd, double = torch.rand(16385), torch.rand(9000, dtype=torch.float64)
    add_parameter(program, "odd", odd)
    add_parameter(program, "double", double)
    MappedWeights(tmp_path).move(program, ())
    assert torch.equal(program.state_dict["odd"], odd)
    assert torch.equal(program.state_dict["double"], double)
