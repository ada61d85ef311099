"""A GELU written out is the same function, and one operator in onnxruntime."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from passes.program import runnable
from passes.speed.gelu import gelu
from tests.captured import captured


class Activation(nn.Module):
    def __init__(self, approximate: str) -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate=self.approximate)


def test_it_is_the_same_function() -> None:
    program = captured(Activation("none"))
    assert len(gelu(program).rewrites) == 1
    program.validate()
    x = torch.linspace(-9, 9, 3 * 4 * 6, dtype=torch.float64).reshape(1, 3, 4, 6)
    assert (runnable(program)(x) - F.gelu(x)).abs().max() < 1e-15


def test_onnxruntime_computes_it_at_once(tmp_path: Path) -> None:
    program = captured(Activation("none"), dtype=torch.float32)
    gelu(program)
    exported = torch.onnx.export(program, dynamo=True, opset_version=18, verbose=False)
    assert exported is not None
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(exported.model_proto.SerializeToString(), options)
    operators = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert operators == ["Gelu"]


def test_the_approximation_by_a_tanh_stays() -> None:
    assert gelu(captured(Activation("tanh"))).rewrites == ()
