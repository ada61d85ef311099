"""No operator of a file is missing from what runtimes publish that they run, each with its types and restrictions.

The lists are facts taken from the runtimes' own pages, in ``published_operators``. Nothing is run in them here.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

from tests.tlcconvert.lower.forms.test_opsets import every_operator
from tests.tlcconvert.test_target import EveryStatistic
from tlcconvert import Target, convert
from tlcconvert.lower.lower import lower

PUBLISHED = Path(__file__).parent / "published_operators"
TYPES = {
    onnx.TensorProto.FLOAT: "float",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.BOOL: "bool",
}
VERIFIED = ((24, 40),)


class Halved(nn.Module):
    """Padded to even sizes in its file: half the resolution and back, with a gate and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.InstanceNorm2d(8, affine=True)
        self.gate = nn.Conv2d(8, 8, 1)
        self.up = nn.Conv2d(8, 12, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = nn.functional.gelu(self.norm(self.down(image)))
        x = x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()
        return nn.functional.pixel_shuffle(self.up(x), 2) + image


def statistics(opset: int) -> onnx.ModelProto:
    """Every statistic and operator of a converted graph, alone."""

    class Operators(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return every_operator(x)

    axes = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    program = torch.export.export(Operators(), (torch.rand(2, 4, 11, 13),), dynamic_shapes=(axes,))
    return lower(program, opset, ["x"], list(program.graph_signature.user_outputs)).model


@pytest.fixture(scope="module")
def at_opset_18() -> dict[str, onnx.ModelProto]:
    """Files at the opset they are written for unless asked for another."""
    torch.manual_seed(0)
    every, halved = EveryStatistic().eval(), Halved().eval()
    return {
        "statistics": statistics(18),
        "in a network": convert(every, 24, input_channels=4, verify_sizes=VERIFIED).model,
        "padded": convert(halved, 24, verify_sizes=VERIFIED).model,
        "padded for TensorRT": convert(halved, 24, target=Target.TENSORRT, verify_sizes=VERIFIED).model,
    }


@pytest.fixture(scope="module", params=[pytest.param(20, marks=pytest.mark.full), 22])
def at_a_later_opset(request: pytest.FixtureRequest) -> onnx.ModelProto:
    return statistics(request.param)


class Typed:
    """A model and the types of its values.

    Args:
        model: without bodies.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
        self.nodes = list(graph.node)
        self.opset = model.opset_import[0].version
        self.constants = {tensor.name for tensor in graph.initializer}
        self._types = {tensor.name: TYPES[tensor.data_type] for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            self._types[value.name] = TYPES[value.type.tensor_type.elem_type]

    def types(self, node: onnx.NodeProto) -> set[str]:
        return {self._types[name] for name in (*node.input, *node.output) if name}

    def main_type(self, node: onnx.NodeProto) -> set[str]:
        """Of what the node works on: its first input, of a choice the second, and the outputs of a conversion."""
        if node.op_type in ("Cast", "Shape", "ConstantOfShape"):
            return {self._types[node.output[0]]}
        return {self._types[node.input[1 if node.op_type == "Where" else 0]]}


def rows(runtime: str) -> dict[str, dict[str, str]]:
    lines = [
        line for line in (PUBLISHED / f"{runtime}.csv").read_text().splitlines() if not line.startswith("#")
    ]
    return {row["operator"]: row for row in csv.DictReader(lines)}


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


RESTRICTIONS: Mapping[str, Callable[[onnx.NodeProto, Typed], bool]] = {
    "": lambda *_: True,
    "no dilations": lambda node, _: set(attributes(node).get("dilations", [1])) == {1},
    "constant axis": lambda node, typed: node.input[1] in typed.constants,
    "constant axes": lambda node, typed: len(node.input) < 2 or node.input[1] in typed.constants,
    "nearest or linear without antialias": lambda node, _: (
        attributes(node).get("mode", b"nearest") in (b"nearest", b"linear")
        and not attributes(node).get("antialias", 0)
    ),
    "first output": lambda node, _: not any(node.output[1:]),
}


def not_in_tensorrt(model: onnx.ModelProto) -> Iterator[str]:
    published, typed = rows("tensorrt"), Typed(model)
    for node in typed.nodes:
        row = published.get(node.op_type)
        if row is None:
            yield f"{node.op_type} is not in the list"
        elif not typed.main_type(node) <= set(row["types"].split()):
            yield f"{node.op_type} of {typed.main_type(node)}"
        elif not RESTRICTIONS[row["restriction"]](node, typed):
            yield f"{node.op_type} is restricted: {row['restriction']}"


def has_kernel(kernels: str, version: int) -> bool:
    """onnxruntime takes a kernel without an end for the version of an operator that it begins with alone."""
    for kernel in kernels.split():
        first, _, last = kernel.partition("-")
        if last and int(first) <= version <= int(last):
            return True
        if not last and int(first.removesuffix("+")) == version:
            return True
    return False


def without_kernel(model: onnx.ModelProto, provider: str) -> Iterator[str]:
    """Operators that would be computed on the processor, arithmetic with sizes and positions excepted."""
    published, typed = rows(provider), Typed(model)
    for node in typed.nodes:
        if typed.types(node) <= {"int64", "bool"}:
            continue
        row = published.get(node.op_type)
        version = onnx.defs.get_schema(node.op_type, typed.opset).since_version
        if row is None or not has_kernel(row["kernels"], version):
            yield f"{node.op_type} of opset {version}"
        elif not typed.main_type(node) <= set(row["types"].split()):
            yield f"{node.op_type} of {typed.main_type(node)}"


@pytest.mark.full
def test_tensorrt_lists_every_operator(at_opset_18: dict[str, onnx.ModelProto]) -> None:
    for name, model in at_opset_18.items():
        assert not set(not_in_tensorrt(model)), name


def test_tensorrt_lists_every_operator_of_statistics_up_to_opset_22(
    at_a_later_opset: onnx.ModelProto,
) -> None:
    assert not set(not_in_tensorrt(at_a_later_opset))


@pytest.mark.full
@pytest.mark.parametrize("provider", ["cuda", "directml"])
def test_onnxruntime_has_a_kernel_on_a_gpu_for_every_operator(
    at_opset_18: dict[str, onnx.ModelProto], provider: str
) -> None:
    for name, model in at_opset_18.items():
        assert not set(without_kernel(model, provider)), name


def test_at_opset_19_and_later_cuda_has_no_kernel_for_pads(at_a_later_opset: onnx.ModelProto) -> None:
    assert any(found.startswith("Pad of opset") for found in without_kernel(at_a_later_opset, "cuda"))


def model_of(*nodes: onnx.NodeProto, type: int = onnx.TensorProto.FLOAT) -> onnx.ModelProto:
    """A file of ``nodes`` from x to y, with an axis that is a constant and one that is not."""
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [value("x", type, ["n", 2, 3, 3]), value("axes", onnx.TensorProto.INT64, [1])],
        [value("y", type, None)],
        [onnx.helper.make_tensor("constant", onnx.TensorProto.INT64, [1], [1])],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])


@pytest.mark.parametrize(
    ("operator", "inputs", "type", "found"),
    [
        ("Det", ["x"], onnx.TensorProto.FLOAT, "Det is not in the list"),
        ("Clip", ["x"], onnx.TensorProto.INT64, "Clip of {'int64'}"),
        ("ReduceMean", ["x", "axes"], onnx.TensorProto.FLOAT, "ReduceMean is restricted: constant axes"),
    ],
)
def test_what_tensorrt_does_not_list_is_found(
    operator: str, inputs: list[str], type: int, found: str
) -> None:
    node = onnx.helper.make_node(operator, inputs, ["y"])
    assert set(not_in_tensorrt(model_of(node, type=type))) == {found}


def test_what_has_no_kernel_is_found() -> None:
    model = model_of(onnx.helper.make_node("Det", ["x"], ["y"]))
    assert set(without_kernel(model, "cuda")) == {"Det of opset 11"}
    assert not set(without_kernel(model_of(onnx.helper.make_node("Abs", ["x"], ["y"])), "cuda"))
