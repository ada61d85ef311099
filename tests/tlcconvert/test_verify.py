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
from tlcconvert.network_inputs import NetworkInputs
from tlcconvert.verification.compare import TOLERANCE, Trial, compare_callables, expected_at
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
