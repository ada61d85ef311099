"""What the files of each target have and have not; they compute the same."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from tlcconvert import Target, convert
from tlcconvert.convert import Conversion


class EveryStatistic(nn.Module):
    """Means, norms, a maximum, a softmax-weighted mean, a transposed attention, and resizes by no whole number."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.Sequential(nn.InstanceNorm2d(4), nn.GroupNorm(2, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gated = self.norms(x) * (x.mean((2, 3), keepdim=True) - x.amax((2, 3), keepdim=True)).sigmoid()
        pixels = gated.flatten(2)
        pooled = pixels @ x[:, :1].flatten(2).softmax(-1).mT
        unit = nn.functional.normalize(pixels, dim=-1)
        attended = ((unit @ unit.mT).softmax(-1) @ pixels + pooled).reshape(x.shape)
        larger = nn.functional.interpolate(
            attended / x.std((2, 3), keepdim=True), scale_factor=1.7, mode="bicubic"
        )
        return nn.functional.interpolate(larger, scale_factor=0.3, mode="bilinear", antialias=True)


LOOPS = {"Scan", "Loop", "If"}
SIZES = [(1, 9, 40), (2, 31, 26), (1, 12, 12), (3, 70, 45)]


@pytest.fixture(
    scope="module", params=[False, pytest.param(True, marks=pytest.mark.full)], ids=["exact", "fast"]
)
def conversions(request: pytest.FixtureRequest) -> dict[Target, Conversion]:
    network = EveryStatistic().eval()
    return {
        target: convert(
            network, 24, input_channels=4, target=target, fast=request.param, verify_sizes=((24, 40),)
        )
        for target in Target
    }


def operators(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


def types(model: onnx.ModelProto) -> set[int]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {value.type.tensor_type.elem_type for value in graph.value_info} | {
        tensor.data_type for tensor in graph.initializer
    }


def run(conversion: Conversion, image: torch.Tensor) -> Any:
    session = onnxruntime.InferenceSession(
        conversion.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"input": image.numpy()})[0]


def test_only_files_for_a_processor_have_loops_running_sums_and_float64(
    conversions: dict[Target, Conversion],
) -> None:
    for target, conversion in conversions.items():
        has_them = target is Target.ONNXRUNTIME_CPU
        assert bool(operators(conversion.model) & LOOPS) == has_them
        assert ("CumSum" in operators(conversion.model)) <= has_them
        assert (onnx.TensorProto.DOUBLE in types(conversion.model)) <= has_them


def test_all_targets_compute_the_same_at_every_size(conversions: dict[Target, Conversion]) -> None:
    for size in SIZES:
        torch.manual_seed(0)
        image = torch.rand(size[0], 4, *size[1:])
        results = {target: run(conversion, image) for target, conversion in conversions.items()}
        for result in results.values():
            expected = results[Target.ONNXRUNTIME_CPU]
            np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_file_tells_its_target(conversions: dict[Target, Conversion]) -> None:
    for target, conversion in conversions.items():
        assert conversion.metadata["target"] == target.value


def test_no_conversion_writes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    convert(EveryStatistic().eval(), 12, input_channels=4, verify_sizes=((24, 40),))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_every_node_of_a_file_has_a_name_of_its_own(conversions: dict[Target, Conversion]) -> None:
    for conversion in conversions.values():
        graphs = [conversion.model.graph]
        names: list[str] = []
        while graphs:
            graph = graphs.pop()
            names += [node.name for node in graph.node]
            graphs += [
                attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")
            ]
        assert len(set(names)) == len(names)
