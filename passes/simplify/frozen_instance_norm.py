"""Instance norm that uses its running statistics is a batch norm.

Given::

    x ──► instance_norm(x, weight, bias, mean, var, use_input_stats=False)

Result::

    x ──► batch_norm(x, weight, bias, mean, var)      # y = (x - mean) / sqrt(var + eps) * weight + bias

With ``track_running_stats`` an evaluated instance norm reads no statistic of its input: it is affine per
channel, folds into a convolution, and is no global aggregation that would have to be localised.
"""

from __future__ import annotations

import operator

import torch
from torch.export import ExportedProgram

from passes.emitter import Emitter, substitute
from passes.program import refresh, where
from passes.result import PassResult, Rewrite

_KIND = "instance norm with running statistics"


def frozen_instance_norm(program: ExportedProgram) -> PassResult:
    """Replaces every ``instance_norm`` that normalises with stored statistics by an evaluated batch norm."""
    rewrites = []
    for node in list(
        program.graph.find_nodes(op="call_function", target=torch.ops.aten.instance_norm.default)
    ):
        activation, weight, bias, mean, variance, use_input_stats, momentum, eps, _ = node.args
        if use_input_stats:
            continue
        emit = Emitter(node)
        batch_norm = torch.ops.aten._native_batch_norm_legit_no_training.default
        norm = emit.call(batch_norm, activation, weight, bias, mean, variance, momentum, eps)
        substitute(node, emit.call(operator.getitem, norm, 0))
        rewrites.append(Rewrite(_KIND, where(node), "instance_norm", "batch_norm"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))
