"""PReLU whose channels share one slope becomes LeakyReLU.

Given::

    x ──► prelu(x, weight)          # weight [1], or [C] with equal entries

Result::

    x ──► leaky_relu(x, slope)      # slope = weight[0], a literal

Both are max(x, 0) + slope * min(x, 0), bit for bit. Inference engines fuse a LeakyReLU into the convolution
before it and do not fuse a PReLU.
"""

from __future__ import annotations

import logging

import torch
from torch.export import ExportedProgram

from passes.emitter import Emitter, substitute
from passes.not_taken import not_taken
from passes.program import refresh, where
from passes.result import PassResult, Rewrite
from passes.simplify.exact_constants import ExactConstants

_log = logging.getLogger(__name__)

_KIND = "single-slope PReLU"


def single_slope_prelu(program: ExportedProgram) -> PassResult:
    """Replaces every ``prelu`` with one constant slope by ``leaky_relu``; a PReLU per channel stays."""
    constants = ExactConstants(program)
    rewrites = []
    for node in list(program.graph.find_nodes(op="call_function", target=torch.ops.aten.prelu.default)):
        activation, weight = node.args
        if weight not in constants.nodes:
            not_taken(_log, node, "its slopes are computed from the input")
            continue
        slopes = constants.native(weight)
        if not torch.equal(slopes, slopes.flatten()[0].expand_as(slopes)):
            not_taken(_log, node, "its channels have slopes of their own")
            continue
        slope = float(slopes.flatten()[0])
        substitute(node, Emitter(node).call(torch.ops.aten.leaky_relu.default, activation, slope))
        rewrites.append(Rewrite(_KIND, where(node), "prelu", "leaky_relu", f"slope {slope:.4g}"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))
