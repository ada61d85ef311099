"""A viewer shows which part of the network a node, a value and a weight belong to."""

from __future__ import annotations

import io
from collections.abc import Iterator

import onnx
import pytest
import torch
from torch import nn

from tests.tlcconvert.classsr.classsr_networks import small_network
from tlcconvert import Target, convert
from tlcconvert.classsr import convert_classsr
from tlcconvert.convert import Conversion

PART_OF_NO_MODULE = {"size_wrapper"}
VERIFIED = ((24, 40),)
pytestmark = pytest.mark.full


class Attention(nn.Module):
    """A simplified channel attention: a mean over the image, a layer, a product."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.layer(x.mean((2, 3), keepdim=True))


class Block(nn.Module):
    """Two branches that fold, a norm and an attention."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv1 = nn.Conv2d(4, 4, 1)
        self.norm = nn.InstanceNorm2d(4)
        self.sca = Attention()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.sca(self.norm(self.conv3(x) + self.conv1(x))).relu()


class Network(nn.Module):
    """Modules in modules, half the resolution, a module of the name of an operator and of a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.intro = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.decoders = nn.ModuleList([Block(), Block()])
        self.Add = nn.Conv2d(4, 12, 1)
        self.constant = nn.Parameter(torch.rand(1, 3, 1, 1))
        self.up = nn.PixelShuffle(2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.intro(image)
        for block in self.decoders:
            x = block(x)
        return self.up(self.Add(x)) + image * self.constant


def network() -> nn.Module:
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture(scope="module")
def files() -> dict[str, onnx.ModelProto]:
    """Files of every kind."""
    return {
        "portable": convert(network(), 24, verify_sizes=VERIFIED).model,
        "loops": convert(network(), 24, target=Target.ONNXRUNTIME_CPU, verify_sizes=VERIFIED).model,
        "fast": convert(network(), 64, fast=True, verify_sizes=VERIFIED).model,
        "global": convert(network(), localize_statistics=False, verify_sizes=VERIFIED).model,
        "static": convert(network(), 24, static_size=(40, 48)).model,
        "ClassSR": convert_classsr(small_network("RCAN"), knobs=True).model,
    }


def graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The graph and the bodies in it."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting += [
            attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")
        ]


def nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for graph in graphs(model) for node in graph.node]


def of_type(model: onnx.ModelProto, operator: str) -> list[str]:
    return [node.name for node in model.graph.node if node.op_type == operator]


def test_a_layer_is_called_by_its_module_and_its_operator(files: dict[str, onnx.ModelProto]) -> None:
    convolutions = set(of_type(files["portable"], "Conv"))
    assert {
        "intro/Conv",
        "decoders.0.sca.layer/Conv",
        "decoders.1.sca.layer/Conv",
        "Add/Conv",
    } <= convolutions


def test_a_fold_is_called_by_the_module_it_ends_in(files: dict[str, onnx.ModelProto]) -> None:
    model = files["portable"]
    assert {"decoders.0/Conv", "decoders.1/Conv"} <= set(of_type(model, "Conv"))
    weights = {tensor.name for tensor in model.graph.initializer}
    assert {"decoders.0.folded_weight", "decoders.1.folded_bias"} <= weights


def test_every_node_of_a_statistic_carries_its_place_and_name(files: dict[str, onnx.ModelProto]) -> None:
    for name in ("portable", "loops", "static"):
        for operator in ("AveragePool", "MatMul", "CumSum", "Pad"):
            for found in of_type(files[name], operator):
                assert found.startswith(("decoders.0.", "decoders.1."))
        places = {node.name.rpartition("/")[0] for node in nodes(files[name])}
        for block in (0, 1):
            assert {f"decoders.{block}.norm/local_normalize", f"decoders.{block}.sca/local_mean"} <= places


def test_a_statistic_on_a_grid_is_called_so(files: dict[str, onnx.ModelProto]) -> None:
    places = {node.name.rpartition("/")[0] for node in nodes(files["fast"])}
    assert {"decoders.0.norm/grid_normalize", "decoders.1.sca/grid_mean"} <= places


def test_nodes_of_a_body_are_called_by_the_node_around_it(files: dict[str, onnx.ModelProto]) -> None:
    loops = [node for node in files["loops"].graph.node if node.op_type == "Scan"]
    assert loops
    for loop in loops:
        (body,) = (attribute.g for attribute in loop.attribute if attribute.HasField("g"))
        assert all(node.name.startswith(f"{loop.name}/") for node in body.node)


def test_what_pads_and_crops_is_no_part_of_the_network(files: dict[str, onnx.ModelProto]) -> None:
    model = files["portable"]
    reading = [node.name for node in model.graph.node if "input" in node.input]
    returning = [node.name for node in model.graph.node if "output" in node.output]
    assert all(name.startswith("size_wrapper/") for name in (*reading, *returning))


def test_inputs_and_outputs_keep_their_names(files: dict[str, onnx.ModelProto]) -> None:
    graph = files["ClassSR"].graph
    assert [value.name for value in graph.input] == ["input", "class_bias", "budget"]
    assert [value.name for value in graph.output] == ["output", "class_map"]


def test_weights_that_no_pass_changed_are_called_as_in_the_state_dict(
    files: dict[str, onnx.ModelProto],
) -> None:
    state = {name: tensor.numpy() for name, tensor in network().state_dict().items()}
    for model in (files["portable"], files["static"], files["global"]):
        stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        for name in ("intro.weight", "decoders.1.sca.layer.bias", "constant"):
            assert (stored[name] == state[name]).all()


def test_all_other_numbers_are_called_constants(files: dict[str, onnx.ModelProto]) -> None:
    state = network().state_dict()
    others = [tensor.name for tensor in files["portable"].graph.initializer if tensor.name not in state]
    assert others
    assert all(name.startswith("constant_") or "folded_" in name for name in others)


def test_every_name_is_used_once(files: dict[str, onnx.ModelProto]) -> None:
    for model in files.values():
        of_nodes = [node.name for node in nodes(model)]
        assert all(of_nodes)
        assert len(set(of_nodes)) == len(of_nodes)
        of_values = [output for node in nodes(model) for output in node.output if output]
        of_values += [tensor.name for graph in graphs(model) for tensor in graph.initializer]
        assert len(set(of_values)) == len(of_values)


def test_a_value_is_called_like_the_node_that_computes_it(files: dict[str, onnx.ModelProto]) -> None:
    for model in files.values():
        public = {value.name for value in model.graph.output}
        for node in nodes(model):
            for index, output in enumerate(node.output):
                suffix = f"_output_{index}" if index else ""
                assert output in public or output in {"", node.name + suffix}


def test_every_node_of_a_module_or_the_wrapper_says_so(files: dict[str, onnx.ModelProto]) -> None:
    modules = {name for name, _ in network().named_modules()} | PART_OF_NO_MODULE
    for name, model in files.items():
        for node in nodes(model) if name != "ClassSR" else ():
            place = node.name.split("/")[0]
            assert place in modules or place.rstrip("_0123456789") == node.op_type


def test_nothing_of_the_machine_is_in_a_file(files: dict[str, onnx.ModelProto]) -> None:
    for model in files.values():
        for part in (*nodes(model), *model.graph.initializer, *model.graph.input, *model.graph.output):
            assert not part.metadata_props
            assert not part.doc_string
        text = model.SerializeToString()
        assert b"site-packages" not in text
        assert __file__.encode() not in text


def test_names_are_the_same_each_time(files: dict[str, onnx.ModelProto]) -> None:
    again = convert(network(), 24, verify_sizes=VERIFIED).model
    assert [node.name for node in again.graph.node] == [node.name for node in files["portable"].graph.node]


def test_a_file_read_back_as_a_program_has_the_same_names(files: dict[str, onnx.ModelProto]) -> None:
    program = torch.export.export(
        network(),
        (torch.rand(2, 3, 36, 40),),
        dynamic_shapes=({0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO},),
    )
    stream = io.BytesIO()
    torch.export.save(program, stream)
    stream.seek(0)
    conversion: Conversion = convert(torch.export.load(stream), 24, verify_sizes=VERIFIED)
    names = {node.name for node in nodes(conversion.model)}
    assert {"intro/Conv", "decoders.0/Conv", "decoders.0.sca/local_mean/AveragePool"} <= names
