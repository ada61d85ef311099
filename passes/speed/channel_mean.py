"""The mean over channels as a matrix product, for normalisation over channels.

    Given    mean(x [N, C, H, W], 1)
    Result   matmul(1/C [1, C], x as [N, C, H*W]) as [N, 1, H, W]

    mean_c x[c, p] = sum_c 1/C * x[c, p]

onnxruntime reduces over an axis that is not the last with a slow loop; a row vector times a matrix streams
through memory once. The norms over channels of a NAFNet take a quarter of its time in the first form. Only
maps are rewritten: a mean over the channels of a statistic is small.
"""

from __future__ import annotations

import logging

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.emitter import Emitter, substitute
from passes.not_taken import not_taken
from passes.program import add_parameter, refresh, where
from passes.result import PassResult, Rewrite
from passes.sizes import image_size, shape_expressions

_log = logging.getLogger(__name__)

aten = torch.ops.aten


def channel_mean(program: ExportedProgram) -> PassResult:
    """Rewrites every mean over the channels of a map, in place."""
    image = image_size(program)
    weights: dict[tuple[int, torch.dtype], fx.Node] = {}
    rewrites = []
    for node in list(program.graph.nodes):
        if not _is_channel_mean(node):
            continue
        if len(image.spatial_axes(shape_expressions(node))) != 2:
            not_taken(_log, node, "it is no mean of a map, but of a statistic")
            continue
        channels = int(shape_expressions(node.args[0])[1])
        key = (channels, node.meta["val"].dtype)
        if key not in weights:
            row = torch.full((1, channels), 1 / channels, dtype=key[1])
            weights[key] = add_parameter(program, f"mean_of_{channels}_channels", row)
        substitute(node, _product(node, weights[key], channels))
        rewrites.append(Rewrite("mean over channels", where(node), "mean", "matrix product"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _is_channel_mean(node: fx.Node) -> bool:
    if node.target is not aten.mean.dim:
        return False
    arguments = bound_arguments(node)
    shape = shape_expressions(arguments["self"])
    is_over_channels = len(shape) == 4 and [dim % 4 for dim in arguments["dim"] or ()] == [1]
    return is_over_channels and arguments["keepdim"] and arguments["dtype"] is None and shape[1].is_Integer


def _product(node: fx.Node, weights: fx.Node, channels: int) -> fx.Node:
    emit, source = Emitter(node), node.all_input_nodes[0]
    batch, height, width = (emit.size(source, axis) for axis in (0, 2, 3))
    columns = emit.reshape(source, [batch, channels, -1])
    means = emit.call(aten.matmul.default, weights, columns)
    return emit.reshape(means, [batch, 1, height, width])
