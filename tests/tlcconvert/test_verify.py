"""Parity between an ONNX file and an eager network is judged, not assumed."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

import tlcconvert
from tlcconvert import InputError, ParityError
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE
from tlcconvert.verification.compare import Trial, compare_callables, expected_at
from tlcconvert.verification.session import inference_session


def doubling_model(path: Path, factor: float = 2.0) -> Path:
    """y = factor * x for images [batch, 3, height, width]."""
    shape = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "factor"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [helper.make_tensor("factor", TensorProto.FLOAT, [], [factor])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


class Doubling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class AddsAChannel(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([2 * x, x[:, :1]], 1)


class FailsBelowEight(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] < 8:
            raise ValueError("too narrow")
        return 2 * x


class NotANumber(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 0 - x / 0


def test_equal_networks_pass_at_every_size(tmp_path: Path) -> None:
    parity = tlcconvert.verify(doubling_model(tmp_path / "m.onnx"), Doubling(), sizes=[(5, 7), (3, 1, 9)])
    parity.raise_for_mismatch()
    assert [(row.batch, row.height, row.width) for row in parity.comparisons] == [(1, 5, 7), (3, 1, 9)]


def test_a_difference_fails_with_a_table_that_names_the_size(tmp_path: Path) -> None:
    parity = tlcconvert.verify(doubling_model(tmp_path / "m.onnx", 2.01), Doubling(), sizes=[(5, 7)])
    with pytest.raises(ParityError, match=r"1x5x7.*FAILED") as failure:
        parity.raise_for_mismatch()
    assert "\n" in str(failure.value)


def test_a_wrong_shape_fails(tmp_path: Path) -> None:
    parity = tlcconvert.verify(doubling_model(tmp_path / "m.onnx"), AddsAChannel(), sizes=[(5, 7)])
    assert not parity.passed
    assert "shapes" in parity.comparisons[0].note


def test_a_model_that_returns_nan_fails(tmp_path: Path) -> None:
    path = doubling_model(tmp_path / "m.onnx", float("nan"))
    assert not tlcconvert.verify(path, Doubling(), sizes=[(5, 7)]).passed


def test_a_size_the_reference_refuses_is_noted_and_the_others_compared(tmp_path: Path) -> None:
    path = doubling_model(tmp_path / "m.onnx")
    parity = tlcconvert.verify(path, FailsBelowEight(), sizes=[(5, 7), (5, 9)])
    assert parity.passed
    assert len(parity.comparisons) == 1
    assert "1x5x7" in parity.notes[0]
    assert "too narrow" in parity.notes[0]


def test_nothing_compared_is_a_failure(tmp_path: Path) -> None:
    parity = tlcconvert.verify(doubling_model(tmp_path / "m.onnx"), NotANumber(), sizes=[(5, 7)])
    with pytest.raises(ParityError, match="Nothing was compared"):
        parity.raise_for_mismatch()


def test_a_reference_that_has_gone_is_compared_with_like_one_that_runs_beside_the_candidate() -> None:
    runs: list[Tensor] = []

    class Noting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            runs.append(x)
            return 2 * x

    def candidate(x: Tensor) -> Tensor:
        return 2.001 * x

    sizes = [(1, 5, 7), (2, 5, 7), (1, 5, 7)]
    expected = expected_at(Noting(), NetworkInputs(3), [Trial(size) for size in sizes], "a / b")
    assert len(runs) == 3
    # The same size once more is another image.
    assert not torch.equal(runs[0], runs[2])
    beside = compare_callables(candidate, Doubling(), NetworkInputs(3), sizes, TOLERANCE, "a / b")
    assert expected.compare(candidate, TOLERANCE) == beside
    assert not beside.passed


def test_a_session_leaves_weights_in_their_file_and_computes_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 512, 3, padding=1).eval()
    path = tmp_path / "m.onnx"
    torch.onnx.export(
        convolution, (torch.rand(1, 3, 8, 8),), path, dynamo=True, external_data=False, verbose=False
    )
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="m.data", size_threshold=1000)
    image = torch.rand(1, 3, 8, 8)
    session = inference_session(path.read_bytes(), tmp_path, weights_in_file=True)
    (result,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    torch.testing.assert_close(torch.from_numpy(result), convolution(image).detach())
    usual = inference_session(path.read_bytes(), tmp_path)
    levels = [each.get_session_options().graph_optimization_level for each in (session, usual)]
    assert levels[0] != levels[1]


class LosesDigits(nn.Module):
    """A large number added and taken away: float32 keeps three digits of the image."""

    def forward(self, x: Tensor) -> Tensor:
        return (2 * x + 1e4) - 1e4


def test_a_network_whose_own_float32_is_inexact_is_judged_against_float64(tmp_path: Path) -> None:
    parity = tlcconvert.verify(doubling_model(tmp_path / "m.onnx"), LosesDigits(), sizes=[(5, 7)])
    assert parity.passed
    assert "float64" in parity.comparisons[0].note


def test_being_inexact_excuses_no_wrong_result(tmp_path: Path) -> None:
    path = doubling_model(tmp_path / "m.onnx", 2.01)
    assert not tlcconvert.verify(path, LosesDigits(), sizes=[(5, 7)]).passed


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_a_file_that_is_no_model_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="onnxruntime cannot load"):
        tlcconvert.verify(path, Doubling())


def test_a_missing_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        tlcconvert.verify(tmp_path / "missing.onnx", Doubling())


@pytest.mark.parametrize("tolerance", [0, -1e-5, float("nan"), float("inf"), 1, True, "1e-5", None])
def test_a_tolerance_that_bounds_nothing_is_refused(tmp_path: Path, tolerance: object) -> None:
    path = doubling_model(tmp_path / "m.onnx")
    with pytest.raises(InputError, match="A tolerance is"):
        tlcconvert.verify(path, Doubling(), sizes=[(5, 7)], tolerance=tolerance)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([], "sizes is empty"),
        ([(0, 5)], "at least 1"),
        ([(1, -4, 5)], "at least 1"),
        ([(5.0, 7)], "whole numbers"),
        ([(True, 7)], "whole numbers"),
        ([(5,)], "height, width"),
        ([(1, 3, 5, 7)], "height, width"),
        (["5x7"], "height, width"),
        ([5, 7], "height, width"),
        ([(10**6, 10**6)], "at most"),
        ([(10**5000, 5)], "at most"),
        ([(10**5000, "5")], "thousands of digits"),
    ],
    ids=[str(number) for number in range(12)],
)
def test_sizes_nothing_can_be_compared_at_are_refused(tmp_path: Path, sizes: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        tlcconvert.verify(doubling_model(tmp_path / "m.onnx"), Doubling(), sizes=sizes)  # type: ignore[arg-type]
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64, torch.bool], ids=str)
def test_a_reference_that_returns_no_real_numbers_is_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    class Cast(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (2 * x).to(dtype)

    with pytest.raises(InputError, match="The reference returns"):
        tlcconvert.verify(doubling_model(tmp_path / "m.onnx"), Cast(), sizes=[(5, 7)])


def model_with(path: Path, inputs: list[onnx.ValueInfoProto]) -> Path:
    """A model of ``inputs`` that returns ones."""
    one = helper.make_node(
        "Constant", [], ["y"], value=helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    )
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([one], "ones", inputs, [output])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


IMAGE = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, "height", "width"])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "no inputs"),
        ([helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h"])], "no float32 image batch"),
        (
            [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n", 3, "h", "w"])],
            "no float32 image batch",
        ),
        ([IMAGE, helper.make_tensor_value_info("s", TensorProto.FLOAT, ["batch", "steps"])], "'steps'"),
        (
            [IMAGE, helper.make_tensor_value_info("s", TensorProto.FLOAT, ["batch", None])],
            "none of the image's",
        ),
        ([IMAGE, helper.make_tensor_value_info("s", TensorProto.INT64, ["batch"])], "not a float32 tensor"),
    ],
    ids=["no inputs", "three axes", "doubles", "a foreign axis", "an axis without a name", "whole numbers"],
)
def test_a_model_whose_inputs_are_no_image_is_refused(
    tmp_path: Path, inputs: list[onnx.ValueInfoProto], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tlcconvert.verify(model_with(tmp_path / "m.onnx", inputs), Doubling(), sizes=[(5, 7)])


def test_sizes_are_chosen_to_reach_far_along_each_axis_and_at_a_size_people_run(tmp_path: Path) -> None:
    parity = tlcconvert.verify(doubling_model(tmp_path / "m.onnx"), Doubling())
    assert parity.passed
    sizes = [(row.batch, row.height, row.width) for row in parity.comparisons]
    assert (1, 720, 1280) in sizes
    assert any(height >= 720 and width < 100 for _, height, width in sizes)
    assert any(width >= 1280 and height < 100 for _, height, width in sizes)
    assert any("multiply-adds" in note for note in parity.notes)


def test_sizes_reach_what_the_smallest_map_of_the_reference_needs(tmp_path: Path) -> None:
    class DownBy32(nn.Module):
        def small(self, x: Tensor) -> Tensor:
            return nn.functional.avg_pool2d(x, 32, ceil_mode=True, padding=16)

        def forward(self, x: Tensor) -> Tensor:
            return 2 * x + 0 * self.small(x).mean()

    parity = tlcconvert.verify(doubling_model(tmp_path / "m.onnx"), DownBy32())
    assert parity.passed
    for axis in (2, 3):
        images = [torch.empty(row.batch, 3, row.height, row.width) for row in parity.comparisons]
        assert max(DownBy32().small(image).shape[axis] for image in images) > 32


def test_a_file_of_one_size_is_compared_at_that_size(tmp_path: Path) -> None:
    path = doubling_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        for axis, extent in ((0, 1), (2, 24), (3, 40)):
            value.type.tensor_type.shape.dim[axis].dim_value = extent
    onnx.save(model, path)
    parity = tlcconvert.verify(path, Doubling())
    assert parity.passed
    assert {row.size for row in parity.comparisons} == {"1x24x40"}


class Squeeze(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean((2, 3), keepdim=True)


def test_a_local_file_is_compared_with_the_network_up_to_its_windows_and_beyond_with_the_converted_one(
    tmp_path: Path,
) -> None:
    conversion = tlcconvert.convert(Squeeze(), 16, input_channels=3)
    conversion.save(tmp_path / "m.onnx")
    original = tlcconvert.verify(tmp_path / "m.onnx", Squeeze())
    assert original.passed
    assert max(row.height for row in original.comparisons) == 16
    assert any("windows of 24x24" in note for note in original.notes)
    converted = tlcconvert.verify(tmp_path / "m.onnx", conversion.module)
    assert converted.passed
    assert any(row.height > 24 and row.width > 24 for row in converted.comparisons)
