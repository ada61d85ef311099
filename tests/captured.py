"""A network as the graph that passes see."""

from __future__ import annotations

import torch
from torch import nn
from torch.export import Dim, ExportedProgram


def captured(
    network: nn.Module,
    channels: int = 3,
    size: tuple[int, int] = (7, 9),
    dtype: torch.dtype = torch.float64,
) -> ExportedProgram:
    """``network``, in evaluation mode and ``dtype`` from here on, with symbolic batch, height and width.

    Args:
        channels: of its input.
        size: height and width of the example.
    """
    torch.manual_seed(0)
    dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    example = torch.randn(2, channels, *size, dtype=dtype)
    program = torch.export.export(network.eval().to(dtype), (example,), dynamic_shapes=(dynamic,))
    return program.run_decompositions({})
