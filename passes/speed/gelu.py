"""A GELU in the order of operations that onnxruntime computes at once.

    Given    gelu(x)
    Result   x * (erf(x / sqrt(2)) + 1) * 0.5

ONNX has an operator for it from opset 20 on. Below, the exporter multiplies by 1/2 first; onnxruntime takes that for
five operations and this for one.
"""

from __future__ import annotations

import logging
import math

import torch
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.emitter import Emitter
from passes.not_taken import not_taken
from passes.program import refresh, where
from passes.result import PassResult, Rewrite

_log = logging.getLogger(__name__)

aten = torch.ops.aten


def gelu(program: ExportedProgram) -> PassResult:
    """Writes out every GELU that is not approximated by a tanh, in place."""
    rewrites = []
    for node in list(program.graph.nodes):
        if node.target is not aten.gelu.default:
            continue
        if bound_arguments(node)["approximate"] != "none":
            not_taken(_log, node, "it is approximated by a tanh")
            continue
        x, call = node.args[0], Emitter(node).call
        erf = call(aten.erf.default, call(aten.div.Tensor, x, math.sqrt(2)))
        doubled = call(aten.mul.Tensor, x, call(aten.add.Tensor, erf, 1.0))
        node.replace_all_uses_with(call(aten.mul.Tensor, doubled, 0.5))
        rewrites.append(Rewrite("GELU", where(node), "1 operator", "written out"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))
