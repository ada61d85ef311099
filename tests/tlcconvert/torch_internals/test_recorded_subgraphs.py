"""Nodes of a body are recorded apart from the nodes around it.

These tests pin what the file relies on: that onnxscript has come to record bodies by itself would not show here.
"""

from __future__ import annotations

import pytest
import torch
from onnxscript import evaluator, ir
from onnxscript import opset18 as op
from torch.onnx._internal.exporter import _building

from tlcconvert.torch_internals.recorded_subgraphs import record, recorded


@pytest.fixture
def recorder() -> _building.OpRecorder:
    return _building.OpRecorder(op, {})


def number() -> ir.Value:
    return _building._tensors.SymbolicTensor(
        op, name="x", shape=ir.Shape([2]), type=ir.TensorType(ir.DataType.FLOAT)
    )


def test_a_body_is_not_recorded_around_it(recorder: _building.OpRecorder) -> None:
    with evaluator.default_as(recorder):
        x = op.Abs(number())
        results, nodes = recorded(lambda: (op.Neg(op.Identity(x)),))
        record("Relu", [x], 1, {})
    assert [node.op_type for node in nodes] == ["Identity", "Neg"]
    assert [node.op_type for node in recorder.nodes] == ["Abs", "Relu"]
    assert results[0].producer() is nodes[-1]
    assert recorder.nodes[-1].version == 18


def test_after_a_body_that_fails_recording_goes_on_around_it(recorder: _building.OpRecorder) -> None:
    def fail() -> list[ir.Value]:
        op.Identity(number())
        raise ZeroDivisionError

    with evaluator.default_as(recorder):
        op.Abs(number())
        with pytest.raises(ZeroDivisionError):
            recorded(fail)
        op.Neg(number())
    assert [node.op_type for node in recorder.nodes] == ["Abs", "Neg"]


def test_the_exporter_records_with_this_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this fails, an ONNX form is run with another evaluator, which may record bodies itself."""
    seen: list[type] = []

    def relu(x: object) -> object:
        seen.append(type(evaluator.default()))
        return op.Relu(x)

    table = {torch.ops.aten.relu.default: relu}
    torch.onnx.export(
        torch.nn.ReLU().eval(),
        (torch.rand(2),),
        dynamo=True,
        verbose=False,
        optimize=False,
        custom_translation_table=table,
    )
    assert seen == [_building.OpRecorder]
