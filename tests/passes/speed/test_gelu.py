"""A GELU written out is the same function, and one operator in onnxruntime."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from passes.program import runnable
from passes.speed.gelu import gelu


class Activation(nn.Module):
    def __init__(self, approximate: str) -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate=self.approximate)


def captured(approximate: str, dtype: torch.dtype) -> ExportedProgram:
    dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    example = torch.randn(2, 3, 5, 7, dtype=dtype)
    program = torch.export.export(Activation(approximate), (example,), dynamic_shapes=(dynamic,))
    return program.run_decompositions({})


def test_it_is_the_same_function() -> None:
    program = captured("none", torch.float64)
    assert len(gelu(program).rewrites) == 1
    program.validate()
    x = torch.linspace(-9, 9, 3 * 4 * 6, dtype=torch.float64).reshape(1, 3, 4, 6)
    assert (runnable(program)(x) - F.gelu(x)).abs().max() < 1e-15


def test_onnxruntime_computes_it_at_once(tmp_path: Path) -> None:
    program = captured("none", torch.float32)
    gelu(program)
    exported = torch.onnx.export(program, dynamo=True, opset_version=18, verbose=False)
    assert exported is not None
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(exported.model_proto.SerializeToString(), options)
    operators = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert operators == ["Gelu"]


def test_the_approximation_by_a_tanh_stays() -> None:
    assert gelu(captured("tanh", torch.float32)).rewrites == ()
