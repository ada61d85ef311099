"""In-place and aliasing operations become functional ones without a second trace, or the graph says it cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.nn import functional as F

from passes.program import runnable
from tlcconvert.capture.functional_graph import write_functionally


class Computes(nn.Module):
    def __init__(self, function: Callable[[Computes, Tensor], Tensor]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.norm.running_mean.uniform_(-1, 1)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, self.convolution(x))


def _exported(network: nn.Module) -> ExportedProgram:
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    with torch.no_grad():
        return torch.export.export(network, (torch.rand(2, 4, 6, 9),), dynamic_shapes=(sizes,))


def relu_read_before_and_after(own: Computes, y: Tensor) -> Tensor:
    before = y * 2
    F.relu_(y)
    return before + y


def added_to(own: Computes, y: Tensor) -> Tensor:
    y += own.convolution(y)
    return y.mul_(2)


def chunked(own: Computes, y: Tensor) -> Tensor:
    a, b = y.chunk(2, 1)
    return a * b


def reshaped(own: Computes, y: Tensor) -> Tensor:
    return y.permute(0, 2, 3, 1).reshape(y.shape[0], -1, 4).contiguous()


def expanded(own: Computes, y: Tensor) -> Tensor:
    return y + y.mean((2, 3), keepdim=True).expand_as(y)


def normalised(own: Computes, y: Tensor) -> Tensor:
    return F.dropout(F.relu(own.norm(y), inplace=True), training=own.training)


def flattened(own: Computes, y: Tensor) -> Tensor:
    rows = y.flatten(2).transpose(1, 2) + 1
    return torch.cat([rows, y.permute(0, 2, 3, 1).flatten(1, 2), y.flatten(-1).flatten(2)[:, :1, :4]], 1)


def cast(own: Computes, y: Tensor) -> Tensor:
    same = y.to(torch.float32)
    copied = y.to(torch.float32, copy=True)
    return (y.to(torch.float64) * 2).to(torch.float32) + same * (copied > 0).to(y.dtype)


FUNCTIONAL = [
    relu_read_before_and_after,
    added_to,
    chunked,
    reshaped,
    flattened,
    cast,
    expanded,
    normalised,
]


@pytest.mark.parametrize("function", FUNCTIONAL)
def test_the_functional_graph_computes_the_same_as_that_of_a_second_trace(
    function: Callable[[Computes, Tensor], Tensor],
) -> None:
    network = Computes(function).eval()
    program = _exported(network)
    traced = program.run_decompositions({})
    assert write_functionally(program)
    assert _targets(program) <= _targets(traced)
    image = torch.rand(3, 4, 7, 8)
    expected = network(image.clone())
    torch.testing.assert_close(runnable(program)(image.clone()), expected, rtol=0, atol=0)


def _targets(program: ExportedProgram) -> set[str]:
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    return targets - {"aten._assert_tensor_metadata.default"}


def written_through_a_view(own: Computes, y: Tensor) -> Tensor:
    y[:, :1].mul_(3)
    return y


def viewed_before(own: Computes, y: Tensor) -> Tensor:
    rows = y.flatten(2)
    y.add_(1)
    return rows


def cast_to_its_own_type_before(own: Computes, y: Tensor) -> Tensor:
    same = y.to(torch.float32)
    y.add_(1)
    return same


@pytest.mark.parametrize("function", [written_through_a_view, viewed_before, cast_to_its_own_type_before])
def test_a_write_that_another_value_sees_is_left_to_a_second_trace(
    function: Callable[[Computes, Tensor], Tensor],
) -> None:
    assert not write_functionally(_exported(Computes(function).eval()))
