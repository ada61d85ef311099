"""What has no elements is left out where it would be joined to something."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from tlcconvert.lower.empty_parts import drop_empty_parts


def changed(text: str) -> ir.Model:
    """A model with its shapes inferred and its empty parts dropped."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> {text}')
    inferred = ir.from_proto(onnx.shape_inference.infer_shapes(model, strict_mode=True))
    drop_empty_parts(inferred.graph)
    onnx.checker.check_model(ir.to_proto(inferred), full_check=True)
    return inferred


def operators(model: ir.Model) -> list[tuple[str, list[str | None]]]:
    return [
        (node.op_type, [value.name for value in node.inputs if value is not None]) for node in model.graph
    ]


def test_one_part_that_is_left_is_the_whole() -> None:
    model = changed("""network (float[0, 4] a, float[3, 4] b) => (float[3, 4] y)
        { joined = Concat <axis = 0> (a, b)  y = Neg (joined) }""")
    assert operators(model) == [("Neg", ["b"])]


def test_parts_that_are_left_are_joined_along_the_same_axis() -> None:
    model = changed("""network (float[3, 1] a, float[3, 0] b, float[3, 4] c) => (float[3, 5] y)
        { joined = Concat <axis = 1> (a, b, c)  y = Neg (joined) }""")
    assert operators(model) == [("Concat", ["a", "c"]), ("Neg", ["joined"])]
    assert model.graph[0].attributes.get_int("axis") == 1


def test_an_output_keeps_its_name() -> None:
    model = changed("""network (float[0, 4] a, float[3, 4] b) => (float[3, 4] y)
        { y = Concat <axis = 0> (a, b) }""")
    assert operators(model) == [("Concat", ["b"])]
    assert [output.name for output in model.graph.outputs] == ["y"]


def test_what_is_empty_as_a_whole_and_what_is_full_stay() -> None:
    model = changed("""network (float[0, 4] a, float[3, 4] b, float[n, 4] c) => (float[0, 4] y, float[k, 4] z)
        { y = Concat <axis = 0> (a, a)  z = Concat <axis = 0> (b, c) }""")
    assert operators(model) == [("Concat", ["a", "a"]), ("Concat", ["b", "c"])]
