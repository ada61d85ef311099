"""Every program computes a convolution: what is wrong with a file in a runtime is not the program's doing."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from benchmarks.latency.subjects import Subject
from benchmarks.runtimes.files import File, Kind
from benchmarks.runtimes.runtimes import RUNTIMES, Runtime
from benchmarks.runtimes.trial import Trials
from tests.runtimes.presence import require

STARTS_AT_ONCE = [runtime for runtime in RUNTIMES if not runtime.prepare and "web" not in runtime.name]


def convolution() -> torch.nn.Module:
    return torch.nn.Conv2d(3, 3, 3, padding=1)


def written_by_hand(subject: Subject) -> File:
    network = subject.network()
    constants = [numpy_helper.from_array(value.numpy(), name) for name, value in network.named_parameters()]
    # WebGPU of onnxruntime-web's default build does not know that dilations and strides are 1 if nothing is said.
    settings = {
        "kernel_shape": [3, 3],
        "pads": [1, 1, 1, 1],
        "dilations": [1, 1],
        "strides": [1, 1],
        "group": 1,
    }
    node = helper.make_node("Conv", ["image", "weight", "bias"], ["restored"], "conv", **settings)
    image, restored = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, "H", "W"])
        for name in ("image", "restored")
    )
    graph = helper.make_graph([node], "convolution", [image], [restored], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return File(model, subject.network().double())


SUBJECT = Subject("convolution", convolution, 24, (61, 45))
KIND = Kind("written by hand", written_by_hand, is_stock=True)


@pytest.mark.parametrize(
    "runtime",
    [
        pytest.param(runtime, id=runtime.name, marks=() if runtime in STARTS_AT_ONCE else pytest.mark.full)
        for runtime in RUNTIMES
    ],
)
def test_a_program_runs_a_convolution_at_every_size(runtime: Runtime, tmp_path: Path) -> None:
    require(runtime)
    verdicts = Trials(tmp_path).verdicts(runtime, KIND, SUBJECT)
    assert len(verdicts) == 5
    for verdict in verdicts:
        assert verdict.is_right and (verdict.decibels > 60 or verdict.image == "low contrast"), verdict
