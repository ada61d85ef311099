"""A PReLU with a slope per channel as a sum of products.

    Given    prelu(x [N, C, H, W], a [C])
    Result   relu(x) * (1 - a) + x * a

    x > 0:  x * (1 - a) + x * a = x          x <= 0:  x * a

onnxruntime leaves its blocked layout for a PReLU. It keeps to it for products with one number per channel, which it
computes as convolutions.
"""

from __future__ import annotations

import logging

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.emitter import Emitter
from passes.not_taken import not_taken
from passes.program import add_parameter, refresh, state, where
from passes.result import PassResult, Rewrite
from passes.sizes import shape_expressions

_log = logging.getLogger(__name__)

aten = torch.ops.aten


def channel_prelu(program: ExportedProgram) -> PassResult:
    """Rewrites every PReLU of maps whose slopes are weights, in place."""
    tensors = state(program)
    rewrites = []
    for node in list(program.graph.nodes):
        if node.target not in (aten.prelu.default, aten._prelu_kernel.default):
            continue
        x, slopes = bound_arguments(node).values()
        if len(shape_expressions(x)) != 4 or slopes.name not in tensors:
            not_taken(_log, node, "its slopes are no weights, or it is not of maps")
            continue
        node.replace_all_uses_with(_sum_of_products(program, node, tensors[slopes.name]))
        rewrites.append(Rewrite("PReLU", where(node), "slope per channel", "sum of products"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _sum_of_products(program: ExportedProgram, node: fx.Node, slopes: torch.Tensor) -> fx.Node:
    x, source = bound_arguments(node).values()
    below = add_parameter(program, f"{source.name}_below", slopes.reshape(1, -1, 1, 1).clone())
    above = add_parameter(program, f"{source.name}_above", 1 - slopes.reshape(1, -1, 1, 1))
    call = Emitter(node).call
    positive = call(aten.mul.Tensor, call(aten.relu.default, x), above)
    return call(aten.add.Tensor, positive, call(aten.mul.Tensor, x, below))
