"""A computed bound of a slice is hidden behind a copy; nothing else is."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from tlcconvert.lower.unread_bounds import keep_bounds_unread

MODEL = """
<ir_version: 10, opset_import: ["": 18]>
network (float[n, h] x) => (float[n, a] y, float[n, b] z, float[n, c] rest)
<int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}>
{
    height = Shape <start = 1> (x)
    half = Div (height, two)
    y = Slice (x, zero, half, one)
    z = Slice (x, half, height, one)
    rest = Slice (x, one, two, one)
}
"""


@pytest.fixture
def model() -> ir.Model:
    return ir.from_proto(onnx.parser.parse_model(MODEL))


def test_each_computed_bound_is_copied_once(model: ir.Model) -> None:
    keep_bounds_unread(model.graph)
    copies = [node for node in model.graph if node.op_type == "Tile"]
    assert [node.inputs[0].name for node in copies] == ["half", "height"]  # type: ignore[union-attr]
    slices = [node for node in model.graph if node.op_type == "Slice"]
    bounds = [[bound.producer() for bound in node.inputs[1:3]] for node in slices]  # type: ignore[union-attr]
    assert bounds == [[None, copies[0]], copies, [None, None]]


def test_the_model_computes_the_same(model: ir.Model) -> None:
    keep_bounds_unread(model.graph)
    changed = ir.to_proto(model)
    onnx.checker.check_model(changed, full_check=True)
    x = np.arange(14, dtype=np.float32).reshape(2, 7)
    session = onnxruntime.InferenceSession(changed.SerializeToString(), providers=["CPUExecutionProvider"])
    y, z, rest = session.run(None, {"x": x})
    np.testing.assert_array_equal(y, x[:, :3])
    np.testing.assert_array_equal(z, x[:, 3:])
    np.testing.assert_array_equal(rest, x[:, 1:2])


def test_a_model_without_computed_bounds_stays_as_it_is(model: ir.Model) -> None:
    for node in list(model.graph):
        if node.op_type == "Slice":
            node.replace_input_with(1, model.graph.initializers["zero"])
            node.replace_input_with(2, model.graph.initializers["two"])
    before = ir.to_proto(model).SerializeToString()
    keep_bounds_unread(model.graph)
    assert ir.to_proto(model).SerializeToString() == before
