"""The ONNX model computes what the program does, however the program counts its axes and stores its weights."""

from __future__ import annotations

import contextlib
import math

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from tlcconvert.errors import CaptureError
from tlcconvert.lower.lower import lower

_DYNAMIC = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}


def captured(network: nn.Module) -> ExportedProgram:
    return torch.export.export(network, (torch.rand(2, 4, 9, 13),), dynamic_shapes=(_DYNAMIC,))


def run(model: onnx.ModelProto, image: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"input": image.numpy()})[0])


class Regrouped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x * 2).view(x.shape[0], 2, 2, x.shape[2], x.shape[3]) + 1


def test_a_size_read_from_the_end_is_the_size_of_that_axis() -> None:
    program = captured(Regrouped())
    sizes = [node for node in program.graph.nodes if node.target is torch.ops.aten.sym_size.int]
    for node in sizes:
        node.args = (node.args[0], node.args[1] - 4)
    assert {node.args[1] for node in sizes} == {-4, -2, -1}
    image = torch.rand(1, 4, 6, 7)
    model = lower(program, 18, ["input"], ["output"]).model
    torch.testing.assert_close(run(model, image), Regrouped()(image))


def test_weights_may_be_views_of_another_layout() -> None:
    network = nn.Conv2d(4, 6, 3)
    network.weight = nn.Parameter(torch.randn(4, 6, 3, 3).transpose(0, 1))
    image = torch.rand(1, 4, 6, 7)
    model = lower(captured(network), 18, ["input"], ["output"]).model
    torch.testing.assert_close(run(model, image), network(image))


def test_equal_weights_are_stored_once() -> None:
    network = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 3))
    network[3].weight.data = network[0].weight.data.clone()
    model = lower(captured(network), 18, ["input"], ["output"]).model
    assert [list(tensor.dims) for tensor in model.graph.initializer].count([8, 4, 3, 3]) == 1


class Promoted(nn.Module):
    """Sums and compares values of different types, and computes on with what becomes of them."""

    def forward(self, x: Tensor) -> Tensor:
        columns = torch.arange(x.shape[3], device=x.device)
        halves = columns / 2
        bright = (x > columns) + columns
        return torch.where(bright > halves, x + columns, bright * 0.5) * (columns + True)


def test_implicit_promotions_are_written_out() -> None:
    image = torch.rand(2, 4, 6, 7) * 5
    model = lower(captured(Promoted()), 18, ["input"], ["output"]).model
    torch.testing.assert_close(run(model, image), Promoted()(image))


def test_each_value_has_the_type_that_running_the_graph_again_gives_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spared = lower(captured(Promoted()), 18, ["input"], ["output"]).model
    monkeypatch.setattr("tlcconvert.lower.lower.promote_types_once", contextlib.nullcontext)
    again = lower(captured(Promoted()), 18, ["input"], ["output"]).model
    assert spared.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)


class Spread(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.softshrink(x.std(1, keepdim=True))


def test_the_program_is_left_as_it_was() -> None:
    program = captured(Spread())
    before, weights = str(program.graph), dict(program.state_dict)
    lowered = lower(program, 18, ["input"], ["output"])
    assert "aten.softshrink.default" in {rewrite.before for rewrite in lowered.rewrites}
    assert str(program.graph) == before
    assert program.state_dict == weights
    assert "run_decompositions" not in vars(program)


class SizedInFloat(nn.Module):
    """Sizes computed in double: 0.29 has no whole-number form, 1.1 has one."""

    def forward(self, x: Tensor) -> Tensor:
        size = (math.floor(x.shape[2] * 1.1), math.ceil(x.shape[3] * 0.29))
        return nn.functional.interpolate(x, size=size, mode="nearest")


def test_sizes_computed_in_floating_point_are_those_of_python() -> None:
    model = lower(captured(SizedInFloat()), 18, ["input"], ["output"]).model
    for height, width in ((10, 100), (7, 200), (90, 300)):
        image = torch.rand(1, 4, height, width)
        torch.testing.assert_close(run(model, image), SizedInFloat()(image), rtol=0, atol=0)


class PositionsOfMaxima(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.adaptive_max_pool2d(x, 3, return_indices=True)[1]


def test_positions_of_an_adaptive_max_pool_are_refused_by_name() -> None:
    with pytest.raises(
        CaptureError, match=r"positions of the maxima of an adaptive max pool at .*test_lower"
    ):
        lower(captured(PositionsOfMaxima()), 18, ["input"], ["output"])
