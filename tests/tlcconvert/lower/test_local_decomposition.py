"""Only the operations in the table are decomposed, and the program computes the same."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import Dim

from passes.program import runnable
from tlcconvert.lower.local_decomposition import decompose
from tlcconvert.lower.moments_axis_by_axis import MOMENTS

aten = torch.ops.aten


class Normalises(nn.Module):
    """Standard deviation and mean over the channels: one operation with two results, one with one."""

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, (1,), correction=1, keepdim=True)
        return torch.relu(x - mean) * x.var((1,), correction=0, keepdim=True) / (variance + 1)


def test_an_operation_of_one_and_of_several_results_is_replaced_at_every_size() -> None:
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    program = torch.export.export(Normalises(), (torch.rand(2, 4, 6, 9),), dynamic_shapes=(sizes,))
    table = {target: MOMENTS[target] for target in (aten.var_mean.correction, aten.var.correction)}
    result = decompose(program, table)
    assert sorted(rewrite.before for rewrite in result.rewrites) == sorted(map(str, table))
    targets = {node.target for node in program.graph.nodes if node.op == "call_function"}
    assert not targets & table.keys()
    assert aten.relu.default in targets
    image = torch.rand(1, 4, 11, 5)
    torch.testing.assert_close(runnable(program)(image), Normalises()(image))


def test_a_program_without_such_an_operation_stays_as_it_is() -> None:
    program = torch.export.export(nn.ReLU(), (torch.rand(2, 3),))
    before = str(program.graph)
    assert not decompose(program, {aten.var.correction: torch.var}).rewrites
    assert str(program.graph) == before
