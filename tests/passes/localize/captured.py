"""A network as the graph that localising sees."""

from __future__ import annotations

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from tests.passes.localize.squeeze_networks import CHANNELS


def captured(network: nn.Module, size: tuple[int, int] = (13, 10)) -> ExportedProgram:
    """``network`` in float64 as a graph with symbolic batch, height and width."""
    torch.manual_seed(0)
    dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    example = torch.randn(2, CHANNELS, *size, dtype=torch.float64)
    return torch.export.export(network, (example,), dynamic_shapes=(dynamic,)).run_decompositions({})
