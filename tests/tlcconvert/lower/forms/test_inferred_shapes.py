"""What onnxruntime's symbolic shape inference writes into a model holds at every size.

Its tools for quantisation and transformers begin with it; onnxruntime lets values of one written size share memory.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference
from torch import Tensor, nn

from passes.statistics import OPERATORS, Operator
from tests.operator_calls import arguments_of, name_of
from tlcconvert.lower.forms import PORTABLE
from tlcconvert.lower.lower import lower

WINDOW = (8, 13)
"""Whole blocks along one axis, and not along the other."""
SIZES = [(1, 4, 3, 5), (2, 4, 16, 26), (1, 4, 61, 45), (3, 4, 44, 99)]
SOON = {"local_mean", "replicated_product"}
"""Those whose sizes the inference computes within seconds."""


class OnACoarserMap(nn.Module):
    """An operator on a map whose size is rounded, and a map cropped to the size of another."""

    def __init__(self, operator: Operator) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        coarse = nn.functional.avg_pool2d(x, 2, ceil_mode=True)
        made = self.operator.overload(*arguments_of(self.operator, coarse, WINDOW))
        finer = nn.functional.interpolate(coarse, scale_factor=2)
        return made, finer[..., : x.shape[2], : x.shape[3]]


def inferred(operator: Operator) -> onnx.ModelProto:
    axes = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    example = (torch.zeros(2, 4, 31, 37),)
    program = torch.export.export(OnACoarserMap(operator), example, dynamic_shapes=(axes,))
    outputs = list(program.graph_signature.user_outputs)
    model = lower(program, 18, ["x"], outputs, translations=PORTABLE).model
    return SymbolicShapeInference.infer_shapes(model, auto_merge=True)


@pytest.mark.parametrize(
    "operator",
    [
        pytest.param(each, id=name_of(each), marks=[] if name_of(each) in SOON else pytest.mark.full)
        for each in OPERATORS
    ],
)
def test_a_size_it_names_is_one_number_everywhere(operator: Operator) -> None:
    model = inferred(operator)
    written_shapes = _written(model)
    for size in SIZES:
        numbers: dict[str, int] = {}
        for name, shape in _shapes_of_all_values(model, size).items():
            dims = written_shapes[name]
            assert len(dims) == len(shape), name
            for written, actual in zip(dims, shape, strict=True):
                stated = numbers.setdefault(written, actual) if isinstance(written, str) else written
                assert stated == actual, f"{name} of an image {size}: {dims} is {shape}"


def _written(model: onnx.ModelProto) -> dict[str, list[int | str]]:
    return {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.value_info
        if value.type.tensor_type.HasField("shape")
    }


def _shapes_of_all_values(model: onnx.ModelProto, size: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    everything = onnx.ModelProto()
    everything.CopyFrom(model)
    del everything.graph.output[:], everything.graph.value_info[:]
    constants = {entry.name for entry in model.graph.initializer}
    names = [name for name in _written(model) if name not in constants]
    everything.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        everything.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    values = session.run(None, {"x": np.random.default_rng(0).random(size, np.float32)})
    return {name: value.shape for name, value in zip(names, values, strict=True)}
