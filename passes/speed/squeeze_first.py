"""The squeezing convolution of a squeeze path before its local mean.

    Given    conv1x1(local_mean(x [N, C, H, W]), W [D, C], b)        D <= C / 4
    Result   local_mean(conv1x1(x, W, b))                            x comes from a convolution; grid_mean alike
             local_mean(matmul(W, x as [N, C, H*W]) as [N, D, H, W]) + b            otherwise

    sum_c W[d, c] * mean_p x[c, p] + b[d] = mean_p (sum_c W[d, c] * x[c, p] + b[d])

The mean takes many passes over its map, the convolution one; it pays where it leaves a quarter of the channels or
fewer. onnxruntime keeps what comes from a convolution in its blocked layout; it would convert any other map to that
layout for a convolution, while the product takes channels by pixels as they are.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.emitter import Emitter
from passes.not_taken import not_taken
from passes.program import add_parameter, refresh, state, where
from passes.result import PassResult, Rewrite
from passes.statistics import OPERATORS, Operator

_log = logging.getLogger(__name__)

aten = torch.ops.aten

_AVERAGES: dict[Any, Operator] = {
    operator.overload: operator for operator in OPERATORS if operator.is_average
}
_LEAST_SQUEEZE = 4
"""Channels in over channels out: 2 breaks even, 1 is slower."""


def squeeze_first(program: ExportedProgram) -> PassResult:
    """Moves every squeezing convolution that alone reads a local mean before that mean, in place."""
    tensors = state(program)
    rewrites = []
    for node in list(program.graph.nodes):
        if not _is_squeezed_mean(node, tensors):
            continue
        squeezed, channels = bound_arguments(node)["weight"].meta["val"].shape[:2]
        node.replace_all_uses_with(_squeezed_first(program, node, tensors))
        rewrites.append(
            Rewrite("squeeze path", where(node), f"mean of {channels} channels", f"mean of {squeezed}")
        )
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _is_squeezed_mean(node: fx.Node, tensors: dict[str, torch.Tensor]) -> bool:
    if node.target is not aten.conv2d.default:
        return False
    arguments = bound_arguments(node)
    mean, layer = arguments["input"], [arguments["weight"], arguments["bias"]]
    if not _is_slower_than_a_convolution(mean):
        return False
    if len(mean.users) != 1:
        not_taken(_log, node, "the mean it squeezes is read elsewhere too")
        return False
    if not all(tensor is None or tensor.name in tensors for tensor in layer):
        not_taken(_log, node, "its weights are computed")
        return False
    squeezed, channels, *kernel = layer[0].meta["val"].shape
    is_pointwise = kernel == [1, 1] and set(arguments["stride"]) == {1} and set(arguments["padding"]) == {0}
    if not is_pointwise or arguments["groups"] != 1:
        not_taken(_log, node, "it does more than combine the channels of one window")
        return False
    if squeezed * _LEAST_SQUEEZE > channels:
        not_taken(_log, node, f"it leaves {squeezed} of {channels} channels, which is too many to pay")
        return False
    return True


def _is_slower_than_a_convolution(mean: fx.Node) -> bool:
    """A mean on a grid of windows is as fast as the product that squeezes a map of another kind."""
    average = _AVERAGES.get(mean.target)
    if average is None:
        return False
    return average.exact is None or _comes_from_convolution(mean.all_input_nodes[0])


def _squeezed_first(program: ExportedProgram, node: fx.Node, tensors: dict[str, torch.Tensor]) -> fx.Node:
    layer = bound_arguments(node)
    mean = layer["input"]
    source, *window = mean.args
    if not _comes_from_convolution(source):
        return _mean_of_product(program, node, tensors)
    squeezed = Emitter(node).call(aten.conv2d.default, source, layer["weight"], layer["bias"])
    return Emitter(node, source=mean).call(mean.target, squeezed, *window)


def _comes_from_convolution(source: fx.Node) -> bool:
    """Whether ``source`` is a convolution, or its activation."""
    if torch.Tag.pointwise in getattr(source.target, "tags", ()) and len(source.all_input_nodes) == 1:
        source = source.all_input_nodes[0]
    return source.target in (aten.conv2d.default, aten.conv2d.padding)


def _mean_of_product(program: ExportedProgram, node: fx.Node, tensors: dict[str, torch.Tensor]) -> fx.Node:
    layer = bound_arguments(node)
    weight, bias = layer["weight"], layer["bias"]
    mean = layer["input"]
    source, *window = mean.args
    squeezed, channels = tensors[weight.name].shape[:2]
    matrix = add_parameter(program, f"{weight.name}_matrix", tensors[weight.name].flatten(1).clone())
    shift = None
    if bias is not None:
        shift = add_parameter(program, f"{bias.name}_map", tensors[bias.name].reshape(1, -1, 1, 1).clone())
    emit = Emitter(node)
    batch, height, width = (emit.size(source, axis) for axis in (0, 2, 3))
    columns = emit.reshape(source, [batch, channels, -1])
    product = emit.call(aten.matmul.default, matrix, columns)
    map_ = emit.reshape(product, [batch, squeezed, height, width])
    moved = Emitter(node, source=mean).call(mean.target, map_, *window)
    return moved if shift is None else emit.call(aten.add.Tensor, moved, shift)
