"""An ONNX file is converted as the network it was exported from, and replaced by a file that is called the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import tlcconvert
from tlcconvert.errors import CaptureError, InputError
from tlcconvert.load import load_network
from tlcconvert.onnx_input.operators import registry


class SqueezeExcitation(nn.Module):
    """A mean over the whole image between convolutions, and a gate as two halves."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.squeeze, self.tail = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(4, 4, 1),
            nn.Conv2d(4, 3, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.head(x).chunk(2, 1)
        features = a * b
        return x + self.tail(features * self.squeeze(features.mean((2, 3), keepdim=True)))


def graph(
    nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], **inputs: list[int | str]
) -> onnx.ModelProto:
    """A model of ``nodes`` whose output is ``"restored image"``."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    output = helper.make_tensor_value_info("restored image", TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    made = helper.make_graph(nodes, "graph", values, [output], tensors)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def written_out() -> onnx.ModelProto:
    """The network above as an exporter might write it, nodes in any order."""
    weights = {name: tensor.detach().numpy() for name, tensor in SqueezeExcitation().named_parameters()}
    nodes = [
        helper.make_node("Add", ["pixels", "residual"], ["restored image"], "/add.1/Add"),
        helper.make_node("Conv", ["pixels", "head.weight", "head.bias"], ["f"], "/head/Conv", pads=[1] * 4),
        helper.make_node("Split", ["f"], ["a", "b"], "/Split", axis=1),
        helper.make_node("Mul", ["a", "b"], ["features"], "/Mul"),
        helper.make_node("Conv", ["mean", "squeeze.weight", "squeeze.bias"], ["gate"], "/squeeze/Conv"),
        helper.make_node("GlobalAveragePool", ["features"], ["mean"], "/pool.0/GlobalAveragePool"),
        helper.make_node("Mul", ["features", "gate"], ["gated"], "/Mul_1"),
        helper.make_node(
            "Conv", ["gated", "tail.weight", "tail.bias"], ["residual"], "/tail/Conv", pads=[1] * 4
        ),
    ]
    model = graph(nodes, weights, pixels=["n", 3, 5, 7])
    model.metadata_props.add(key="author", value="a stranger")
    return model


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "source.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def conversion(tmp_path_factory: pytest.TempPathFactory) -> tlcconvert.Conversion:
    return tlcconvert.convert(load_network(saved(written_out(), tmp_path_factory.mktemp("file"))), 16)


def test_it_has_the_sites_and_the_values_of_the_network_it_was_exported_from(
    conversion: tlcconvert.Conversion,
) -> None:
    direct = tlcconvert.convert(SqueezeExcitation(), 16)
    assert [site.map.window for site in conversion.sites] == [site.map.window for site in direct.sites]
    image = torch.rand(2, 3, 40, 61)
    own, expected = conversion.module(image)[0], direct.module(image)[0]
    torch.testing.assert_close(own, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_its_file_takes_the_place_of_the_source(conversion: tlcconvert.Conversion, tmp_path: Path) -> None:
    session = onnxruntime.InferenceSession(conversion.model.SerializeToString())
    source = onnxruntime.InferenceSession(saved(written_out(), tmp_path))
    image = np.random.default_rng(0).random((2, 3, 5, 7), dtype=np.float32)
    (own,) = session.run(["restored image"], {"pixels": image})
    (expected,) = source.run(["restored image"], {"pixels": image})
    np.testing.assert_allclose(own, expected, atol=1e-5)


def test_it_carries_over_what_the_source_says_of_itself(
    conversion: tlcconvert.Conversion, tmp_path: Path
) -> None:
    stored = {entry.key: entry.value for entry in conversion.model.metadata_props}
    assert stored["author"] == "a stranger"
    assert len(stored["source_sha256"]) == 64


def test_places_are_names_of_nodes(conversion: tlcconvert.Conversion) -> None:
    assert [site.where for site in conversion.sites] == ["/pool.0/GlobalAveragePool"]


def test_it_is_compared_with_the_source_file_in_onnxruntime(conversion: tlcconvert.Conversion) -> None:
    compared = [row for row in conversion.parity.comparisons if row.what == "source file / original"]
    assert compared
    assert all(row.passed for row in compared)


def test_what_differs_from_the_source_file_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = registry.Operator(
        lambda node, x: 1.5 * x.mean((2, 3), keepdim=True), frozenset(), False, 1, lambda node: ""
    )
    monkeypatch.setitem(registry._operators, "GlobalAveragePool", wrong)
    with pytest.raises(tlcconvert.ParityError, match="source file / original"):
        tlcconvert.convert(load_network(saved(written_out(), tmp_path)), 16)


def test_a_file_of_this_tool_is_refused(conversion: tlcconvert.Conversion, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="already converted"):
        load_network(saved(conversion.model, tmp_path))


def test_half_precision_is_computed_in_float32(tmp_path: Path) -> None:
    model = written_out()
    for tensor in model.graph.initializer:
        tensor.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name)
        )
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    network = load_network(saved(model, tmp_path))
    assert {weight.dtype for weight in network.module.parameters()} == {torch.float32}  # type: ignore[union-attr]
    image = torch.rand(1, 3, 9, 11)
    expected = SqueezeExcitation().half().float()(image)
    torch.testing.assert_close(network.module(image), expected)  # type: ignore[operator]


def test_a_size_fixed_inside_is_named_with_its_node(tmp_path: Path) -> None:
    model = written_out()
    model.graph.node[0].output[0] = "large"
    weights = {"starts": [0, 0], "ends": [40, 48], "axes": [2, 3]}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(own), name) for name, own in weights.items()
    )
    model.graph.node.append(
        helper.make_node("Slice", ["large", "starts", "ends", "axes"], ["restored image"], "/Slice_1")
    )
    with pytest.raises(CaptureError, match=r"does not grow with the image.*/Slice_1"):
        tlcconvert.convert(load_network(saved(model, tmp_path)), 16)


def test_all_unknown_operators_are_named_with_how_often_they_occur(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["pixels", "scale"], ["q"]),
        helper.make_node("Loop", ["", "", "q"], ["l"]),
        helper.make_node("FusedConv", ["l"], ["c"], domain="com.microsoft"),
        helper.make_node("FusedConv", ["c"], ["restored image"], domain="com.microsoft"),
    ]
    model = graph(nodes, {"scale": np.float32(1)}, pixels=["n", 3, "h", "w"])
    named = r"'com.microsoft.FusedConv' \(2x\), 'QuantizeLinear' \(1x\), 'Loop' \(1x\)"
    with pytest.raises(InputError, match=named):
        load_network(saved(model, tmp_path))


def test_a_variant_that_is_not_computed_is_named_with_its_node(tmp_path: Path) -> None:
    scales = np.array([1, 1, 0.5, 0.5], dtype=np.float32)
    node = helper.make_node("Resize", ["pixels", "", "scales"], ["restored image"], "/shrink", antialias=1)
    model = graph([node], {"scales": scales}, pixels=["n", 3, "h", "w"])
    model.opset_import[0].version = 18
    with pytest.raises(InputError, match=r"Resize '/shrink': antialias"):
        load_network(saved(model, tmp_path))


def test_an_input_beside_the_image_keeps_its_name(tmp_path: Path) -> None:
    node = helper.make_node("Add", ["pixels", "noise level"], ["restored image"])
    model = graph([node], {}, **{"noise level": ["n", 1, "h", "w"], "pixels": ["n", 3, "h", "w"]})
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    network = load_network(saved(model, tmp_path))
    # Both are maps of the image's size: the first is the image.
    assert network.source_file is not None
    assert (network.source_file.image_name, network.extra_inputs[0].name) == ("noise level", "pixels")


def test_channels_behind_the_pixels_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["pixels"], ["restored image"])
    with pytest.raises(InputError, match="channels last"):
        load_network(saved(graph([node], {}, pixels=[1, 64, 64, 3]), tmp_path))


def test_a_branch_on_sizes_is_decided_by_them(tmp_path: Path) -> None:
    def branch(name: str, kind: str) -> onnx.GraphProto:
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(kind, ["pixels"], [name])], name, [], [value])

    nodes = [
        helper.make_node("Shape", ["pixels"], ["shape"]),
        helper.make_node("Gather", ["shape", "axis"], ["channels"], axis=0),
        helper.make_node("Equal", ["channels", "three"], ["is colour"]),
        helper.make_node(
            "If",
            ["is colour"],
            ["restored image"],
            then_branch=branch("x", "Neg"),
            else_branch=branch("y", "Abs"),
        ),
    ]
    model = graph(nodes, {"axis": np.array(1), "three": np.array(3)}, pixels=["n", 3, "h", "w"])
    network = load_network(saved(model, tmp_path))
    image = torch.rand(1, 3, 6, 5)
    torch.testing.assert_close(network.module(image), -image)  # type: ignore[operator]


def with_a_number() -> onnx.ModelProto:
    node = helper.make_node("Mul", ["pixels", "alpha"], ["restored image"])
    return graph([node], {}, pixels=["n", 3, "h", "w"], alpha=[1])


def test_an_input_of_one_number_can_be_pinned(tmp_path: Path) -> None:
    network = load_network(saved(with_a_number(), tmp_path), pinned={"alpha": 0.5})
    image = torch.rand(1, 3, 4, 5)
    assert network.extra_inputs == ()
    torch.testing.assert_close(network.module(image), 0.5 * image)  # type: ignore[operator]
    assert network.source_file is not None
    torch.testing.assert_close(network.source_file.opened()(image)[0], 0.5 * image)


def test_an_input_that_is_not_there_cannot_be_pinned(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no input 'beta'"):
        load_network(saved(with_a_number(), tmp_path), pinned={"beta": 1})


def test_an_input_of_one_number_stays_one_where_it_is_not_pinned(tmp_path: Path) -> None:
    (extra,) = load_network(saved(with_a_number(), tmp_path)).extra_inputs
    assert (extra.name, extra.shape) == ("alpha", (1,))


def with_a_fixed_half() -> onnx.ModelProto:
    weights = {"0": np.array([0]), "8": np.array([8]), "end": np.array([2**62]), "rows": np.array([2])}
    nodes = [
        helper.make_node("Slice", ["pixels", "0", "8", "rows"], ["upper"], "/Slice"),
        helper.make_node("Slice", ["pixels", "8", "end", "rows"], ["lower"], "/Slice_1"),
        helper.make_node("Neg", ["lower"], ["changed"]),
        helper.make_node("Concat", ["upper", "changed"], ["restored image"], axis=2),
    ]
    return graph(nodes, weights, pixels=["n", 3, "h", "w"])


def test_a_strip_that_an_export_fixed_is_noted_and_refused_where_asked(tmp_path: Path) -> None:
    network = load_network(saved(with_a_fixed_half(), tmp_path))
    conversion = tlcconvert.convert(network, 16)
    assert any("8 of it at node '/Slice' whatever the height" in note for note in conversion.parity.notes)
    with pytest.raises(tlcconvert.StrictError, match="'/Slice'"):
        tlcconvert.convert(network, 16, strict=True)


def gated_by_means(axes: list[int]) -> onnx.ModelProto:
    """Every channel times its mean, by reshapes to constant shapes, as a simplifier leaves them."""
    weights = {"rows": np.array([1, 3, -1]), "map": np.array([1, 3, 1, 1])}
    nodes = [
        helper.make_node("Reshape", ["pixels", "rows"], ["flat"], "/flatten"),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[2]),
        helper.make_node("Reshape", ["mean", "map"], ["gate"], "/back"),
        helper.make_node("ReduceMax", ["pixels"], ["largest"], axes=axes),
        helper.make_node("Mul", ["pixels", "gate"], ["gated"]),
        helper.make_node("Add", ["gated", "largest"], ["restored image"]),
    ]
    return graph(nodes, weights, pixels=[1, 3, "h", "w"])


@pytest.mark.parametrize(("declared", "pixels"), [(1, -1), ("n", 64 * 64)])
def test_a_batch_that_only_reshapes_fix_is_free_again(
    tmp_path: Path, declared: int | str, pixels: int
) -> None:
    model = gated_by_means([1, 2, 3])
    batch = model.graph.input[0].type.tensor_type.shape.dim[0]
    batch.CopyFrom(helper.make_tensor_value_info("", 1, [declared]).type.tensor_type.shape.dim[0])
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([1, 3, pixels]), "rows"))
    network = load_network(saved(model, tmp_path))
    images = torch.rand(3, 3, 64, 64)
    expected = images * images.mean((2, 3), keepdim=True) + images.amax((1, 2, 3), keepdim=True)
    torch.testing.assert_close(network.module(images), expected)  # type: ignore[operator]


def test_a_file_for_one_image_that_mixes_the_images_of_a_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one image at a time"):
        load_network(saved(gated_by_means([0, 1, 2, 3]), tmp_path))
