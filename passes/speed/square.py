"""A square as a product.

    Given    x ** 2
    Result   x * x

onnxruntime computes a product in memory it no longer needs otherwise, a power in memory of its own. A network with a
norm over channels in every block has as many squares of whole maps.
"""

from __future__ import annotations

import logging

import torch
from torch.export import ExportedProgram

from passes.not_taken import not_taken
from passes.program import where
from passes.result import PassResult, Rewrite

_log = logging.getLogger(__name__)

aten = torch.ops.aten


def square(program: ExportedProgram) -> PassResult:
    """Rewrites every square, in place."""
    rewrites = []
    for node in program.graph.nodes:
        if node.target is not aten.pow.Tensor_Scalar or node.args[1] != 2:
            continue
        if not node.args[0].meta["val"].is_floating_point():
            not_taken(_log, node, "it is of whole numbers")
            continue
        node.target, node.args = aten.mul.Tensor, (node.args[0], node.args[0])
        rewrites.append(Rewrite("square", where(node), "power", "product"))
    return PassResult(tuple(rewrites))
