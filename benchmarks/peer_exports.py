"""What a user would otherwise do to get an ONNX file: PyTorch's exporter alone, or followed by a simplifier."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import onnxscript.optimizer
import onnxscript.rewriter
import onnxsim
import onnxslim
import torch
from torch import nn
from torch.export import Dim

from tlcconvert.process_state.silence import silence


def stock_export(module: nn.Module, channels: int, example: tuple[int, int] = (24, 32)) -> onnx.ModelProto:
    """``torch.onnx.export(dynamo=True)`` at its defaults, batch, height and width dynamic.

    ``example``: height and width the network is traced at.
    """
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    with silence(), torch.no_grad():
        exported = torch.onnx.export(
            module, (torch.rand(2, channels, *example),), dynamo=True, dynamic_shapes=(sizes,), verbose=False
        )
    assert exported is not None
    return exported.model_proto


def onnxsim_simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    simplified, equal = onnxsim.simplify(model)
    if not equal:
        raise ValueError("onnxsim finds its own result different")
    return simplified


def onnxscript_optimized(model: onnx.ModelProto) -> onnx.ModelProto:
    """The optimizer, which the stock export has run once already, and the rewriter's default rules."""
    return onnxscript.rewriter.rewrite(onnxscript.optimizer.optimize(model))


SIMPLIFIERS: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "torch.onnx.export": lambda model: model,
    "onnxsim": onnxsim_simplified,
    "onnxslim": onnxslim.slim,
    "onnxscript": onnxscript_optimized,
}
