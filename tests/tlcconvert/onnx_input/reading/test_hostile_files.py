"""Damaged and hostile files end in one sentence, and read nothing outside their folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tlcconvert.errors import ConversionError, InputError
from tlcconvert.load import load_network

_IMAGE = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, "h", "w"])
_OUTPUT = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)


def model_of(
    nodes: list[onnx.NodeProto],
    weights: Sequence[TensorProto] = (),
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "graph", [_IMAGE], [_OUTPUT], weights)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def outside(location: str) -> TensorProto:
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[1])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    return weight


ADD = helper.make_node("Add", ["image", "weight"], ["output"])


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(np.float32(3).tobytes())
    network = load_network(saved(model_of([ADD], [outside("weights.bin")]), tmp_path))
    assert network.input_channels == 1


@pytest.mark.parametrize(
    "location", ["../weights.bin", "/etc/hostname", "", "a/../../weights.bin", "C:\\weights.bin"]
)
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "weights.bin").write_bytes(np.float32(3).tobytes())
    (tmp_path / "inner").mkdir()
    with pytest.raises(InputError, match="not inside its own folder"):
        load_network(saved(model_of([ADD], [outside(location)]), tmp_path / "inner"))


@pytest.mark.parametrize("is_folder", [False, True])
def test_weights_behind_a_link_are_refused(tmp_path: Path, is_folder: bool) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "weights.bin").write_bytes(np.float32(3).tobytes())
    (tmp_path / "inner").mkdir()
    source = tmp_path / "secret" if is_folder else tmp_path / "secret" / "weights.bin"
    os.symlink(source, tmp_path / "inner" / "linked")
    location = "linked/weights.bin" if is_folder else "linked"
    with pytest.raises(InputError, match="is a link"):
        load_network(saved(model_of([ADD], [outside(location)]), tmp_path / "inner"))


def test_weights_beyond_the_end_of_their_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"abcd")
    weight = outside("weights.bin")
    weight.external_data.add(key="offset", value="8")
    with pytest.raises(InputError, match="beyond the end"):
        load_network(saved(model_of([ADD], [weight]), tmp_path))


def test_a_weight_of_a_million_million_elements_is_refused(tmp_path: Path) -> None:
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[10**6, 10**6], raw_data=b"abcd")
    with pytest.raises(InputError, match="damaged"):
        load_network(saved(model_of([ADD], [weight]), tmp_path))


@pytest.mark.parametrize("kind", ["ConstantOfShape", "Expand", "Tile"])
def test_numbers_that_ask_for_endless_tensors_are_refused(tmp_path: Path, kind: str) -> None:
    shape = numpy_helper.from_array(np.array([10**6, 10**6]), "shape")
    one = numpy_helper.from_array(np.ones((1, 1), np.float32), "one")
    inputs = ["shape"] if kind == "ConstantOfShape" else ["one", "shape"]
    nodes = [helper.make_node(kind, inputs, ["weight"]), ADD]
    with pytest.raises(InputError, match="1000000000000 elements"):
        load_network(saved(model_of(nodes, [shape, one]), tmp_path))


def test_constants_that_double_without_end_are_refused(tmp_path: Path) -> None:
    one = numpy_helper.from_array(np.ones(1024, np.float32), "x0")
    nodes = [helper.make_node("Concat", [f"x{n}"] * 2, [f"x{n + 1}"], axis=0) for n in range(40)]
    nodes.append(helper.make_node("Add", ["image", "x40"], ["output"]))
    with pytest.raises(InputError, match="cannot be computed from a file of its size"):
        load_network(saved(model_of(nodes, [one]), tmp_path))


def test_a_node_that_reads_its_own_result_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["image", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["output"]),
    ]
    with pytest.raises(InputError, match="made of its own result"):
        load_network(saved(model_of(nodes), tmp_path))


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([helper.make_node("Add", ["image", "nothing"], ["output"])], "'nothing', which nothing makes"),
        ([helper.make_node("Relu", ["image"], ["x"])], "nothing makes its output 'output'"),
        ([helper.make_node("Relu", ["image"], ["output"])] * 2, "'output' is made twice"),
    ],
)
def test_values_that_are_missing_or_made_twice_are_named(
    tmp_path: Path, nodes: list[onnx.NodeProto], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        load_network(saved(model_of(nodes), tmp_path))


def function(name: str, calls: list[str]) -> onnx.FunctionProto:
    nodes = [
        helper.make_node(call, [f"v{number}"], [f"v{number + 1}"], domain="" if call == "Relu" else "own")
        for number, call in enumerate(calls)
    ]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["v0"], [f"v{len(calls)}"], nodes, opsets)


def test_a_function_of_the_file_is_written_out(tmp_path: Path) -> None:
    call = helper.make_node("Twice", ["image"], ["output"], domain="own")
    load_network(saved(model_of([call], functions=[function("Twice", ["Relu", "Relu"])]), tmp_path))


def test_a_function_that_calls_itself_is_refused(tmp_path: Path) -> None:
    call = helper.make_node("A", ["image"], ["output"], domain="own")
    functions = [function("A", ["B"]), function("B", ["A"])]
    with pytest.raises(InputError, match="calls itself"):
        load_network(saved(model_of([call], functions=functions), tmp_path))


def test_functions_that_double_without_end_are_refused(tmp_path: Path) -> None:
    functions = [function(f"F{n}", [f"F{n + 1}"] * 2) for n in range(40)] + [function("F40", ["Relu"])]
    call = helper.make_node("F0", ["image"], ["output"], domain="own")
    with pytest.raises(InputError, match="written out"):
        load_network(saved(model_of([call], functions=functions), tmp_path))


def sentence_or_nothing(path: Path) -> str:
    try:
        load_network(path)
    except ConversionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("mutations", [60, pytest.param(1000, marks=pytest.mark.full)])
def test_mutations_end_in_a_sentence_or_in_a_network(tmp_path: Path, mutations: int) -> None:
    weight = numpy_helper.from_array(np.ones((2, 1, 3, 3), np.float32), "weight")
    shape = numpy_helper.from_array(np.array([0, 0, -1]), "shape")
    nodes = [
        helper.make_node("Conv", ["image", "weight"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["a", "shape"], ["output"]),
    ]
    content = model_of(nodes, [weight, shape]).SerializeToString()
    random = np.random.default_rng(0)
    path = tmp_path / "model.onnx"
    sentences = []
    for _ in range(mutations):
        mutated = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 6)):
            mutated[place] = random.integers(0, 256)
        is_cut = random.random() < 0.2
        path.write_bytes(mutated[: random.integers(1, len(content))] if is_cut else mutated)
        sentences.append(sentence_or_nothing(path))
    assert all(len(sentence) < 2000 and sentence.isprintable() for sentence in sentences)
    assert sum(map(bool, sentences)) > mutations / 10
