"""Adaptive pools become plain means and pools where their bins are the same at every size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import Dim

from passes.program import runnable
from passes.simplify.known_bins import known_bins

aten = torch.ops.aten


class Pools(nn.Module):
    """One bin per row, bins of two by two pixels, four bins, and one."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        pool = nn.functional.adaptive_avg_pool2d
        height, width = x.shape[2:]
        return pool(x, (None, 1)), pool(x, (height // 2, width // 2)), pool(x, 4), pool(x, 1)


def test_only_pools_whose_bins_follow_the_size_stay_adaptive() -> None:
    sizes = {0: Dim.DYNAMIC, 2: 2 * Dim("rows", min=1), 3: 2 * Dim("columns", min=1)}
    program = torch.export.export(Pools(), (torch.rand(2, 3, 6, 10),), dynamic_shapes=(sizes,))
    assert len(known_bins(program).rewrites) == 2
    targets = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert targets.count(aten.adaptive_avg_pool2d.default) == 2
    assert aten.mean.dim in targets and aten.avg_pool2d.default in targets
    for height, width in ((2, 4), (22, 6)):
        image = torch.rand(1, 3, height, width)
        for got, expected in zip(runnable(program)(image), Pools()(image), strict=True):
            torch.testing.assert_close(got, expected)
