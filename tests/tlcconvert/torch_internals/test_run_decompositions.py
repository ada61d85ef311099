"""The ONNX exporter has a program decomposed whether or not anything in it has to be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.export import ExportedProgram

from tlcconvert.torch_internals.run_decompositions import Table, decompose_by


def onnx_of(program: ExportedProgram) -> None:
    torch.onnx.export(program, dynamo=True, optimize=False, verbose=False)


def test_the_exporter_asks_once_and_takes_the_answer() -> None:
    program, asked = torch.export.export(nn.ReLU(), (torch.rand(2, 3),)), []

    def decompose(table: Table) -> ExportedProgram:
        asked.append(len(table))
        return program

    decompose_by(program, decompose)
    onnx_of(program)
    assert len(asked) == 1 and asked[0] > 50


def test_without_it_a_program_of_one_known_operator_is_traced_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this fails, the exporter asks only where it has to: delete the file and its use."""
    program, traced = torch.export.export(nn.ReLU(), (torch.rand(2, 3),)), []
    original = ExportedProgram.run_decompositions

    def counted(self: ExportedProgram, *args: Any, **kwargs: Any) -> ExportedProgram:
        traced.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(ExportedProgram, "run_decompositions", counted)
    onnx_of(program)
    assert traced == [program]
