"""Channels of depthwise convolutions filled up with zeros to whole blocks of 16.

    Given    x -> conv [C, ...] -> depthwise [C, ...] -> gelu, mul, ... -> conv [D, C, ...] -> y     C % 16 != 0
    Result   the same on C' = 16 * ceil(C / 16) channels: rows of zeros more in the weights and biases that make
             the C channels, columns of zeros more in the weights that read them

    y[d] = sum_{c < C} W[d, c] * z[c] + sum_{C <= c < C'} 0 * z[c]

and the new channels z[c] are finite: pointwise functions of zeros. Restormer's feed-forward network has 127 channels
of 48, of which onnxruntime runs no depthwise convolution on its blocked layout: its blocks are 8 or 16 channels, by
processor. Where the channels would grow by more than an eighth, nothing is done.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.not_taken import not_taken
from passes.program import add_parameter, refresh, state, where
from passes.result import PassResult, Rewrite

_log = logging.getLogger(__name__)

aten = torch.ops.aten
_CONVOLUTIONS = (aten.conv2d.default, aten.conv2d.padding)
_FINITE_AT_ZERO = {
    aten.add.Tensor,
    aten.gelu.default,
    aten.leaky_relu.default,
    aten.mul.Tensor,
    aten.relu.default,
    aten.sigmoid.default,
    aten.silu.default,
    aten.sub.Tensor,
    aten.tanh.default,
}
_BLOCK = 16
_MOST_GROWTH = 8


@dataclass
class Region:
    """The nodes that make and the convolutions that read maps of one number of channels."""

    channels: int
    makers: list[fx.Node] = field(default_factory=list)
    readers: list[fx.Node] = field(default_factory=list)

    @property
    def missing(self) -> int:
        return -self.channels % _BLOCK


def whole_channel_blocks(program: ExportedProgram) -> PassResult:
    """Fills up the channels around every depthwise convolution that ends inside a block, in place."""
    tensors = state(program)
    rewrites = []
    for node in list(program.graph.nodes):
        if not _is_depthwise(node):
            continue
        region = _region(node, tensors)
        if region is None:
            not_taken(_log, node, "an operation around it cannot take more channels")
            continue
        if not region.missing:
            continue
        if region.missing * _MOST_GROWTH > region.channels:
            not_taken(
                _log, node, f"{region.missing} channels more than {region.channels} are too many to pay"
            )
            continue
        _fill_up(program, region, tensors)
        tensors = state(program)
        after = region.channels + region.missing
        rewrites.append(Rewrite("channels", where(node), str(region.channels), str(after)))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _is_depthwise(node: fx.Node) -> bool:
    if node.target not in _CONVOLUTIONS:
        return False
    arguments = bound_arguments(node)
    outputs, per_group = arguments["weight"].meta["val"].shape[:2]
    return arguments["groups"] == outputs > 1 and per_group == 1


def _is_dense(node: fx.Node) -> bool:
    return node.target in _CONVOLUTIONS and bound_arguments(node)["groups"] == 1


def _region(start: fx.Node, tensors: dict[str, torch.Tensor]) -> Region | None:
    """Everything that must change with ``start``; None if something in it cannot."""
    region = Region(int(start.args[1].meta["val"].shape[0]))  # type: ignore[union-attr]
    open_nodes = [start]
    while open_nodes:
        node = open_nodes.pop()
        if node in region.makers:
            continue
        if not _can_make(node, region.channels, tensors):
            return None
        region.makers.append(node)
        if not _is_dense(node):
            open_nodes += [source for source in node.all_input_nodes if source.name not in tensors]
        for user in node.users:
            if not _is_dense(user):
                open_nodes.append(user)
            elif user.args[0] is not node or not _has_own_weights(user, tensors):
                return None
            elif user not in region.readers:
                region.readers.append(user)
    return region


def _can_make(node: fx.Node, channels: int, tensors: dict[str, torch.Tensor]) -> bool:
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor) or value.dim() != 4 or value.shape[1] != channels:
        return False
    if _is_dense(node) or _is_depthwise(node):
        return _has_own_weights(node, tensors)
    return node.target in _FINITE_AT_ZERO


def _has_own_weights(node: fx.Node, tensors: dict[str, torch.Tensor]) -> bool:
    arguments = bound_arguments(node)
    layer = (arguments["weight"], arguments["bias"])
    return all(tensor is None or tensor.name in tensors for tensor in layer)


def _fill_up(program: ExportedProgram, region: Region, tensors: dict[str, torch.Tensor]) -> None:
    filled: dict[tuple[fx.Node, int], fx.Node] = {}

    def with_zeros(tensor: fx.Node | None, axis: int) -> fx.Node | None:
        if tensor is None:
            return None
        if (tensor, axis) not in filled:
            value = tensors[tensor.name]
            padding = [0, 0] * (value.dim() - 1 - axis) + [0, region.missing]
            name = f"{tensor.name}_whole_blocks"
            filled[tensor, axis] = add_parameter(program, name, F.pad(value.detach(), padding))
            tensors[filled[tensor, axis].name] = program.state_dict[_target(program, filled[tensor, axis])]
        return filled[tensor, axis]

    for node in region.makers:
        node.meta.pop("val")
        if node.target in _CONVOLUTIONS:
            arguments = bound_arguments(node)
            weight, bias = with_zeros(arguments["weight"], 0), with_zeros(arguments["bias"], 0)
            groups = 1 if arguments["groups"] == 1 else region.channels + region.missing
            _set(node, weight, bias, groups)
    for node in region.readers:
        arguments = bound_arguments(node)
        _set(node, with_zeros(arguments["weight"], 1), arguments["bias"], 1)


def _target(program: ExportedProgram, placeholder: fx.Node) -> str:
    return program.graph_signature.inputs_to_parameters[placeholder.name]


def _set(node: fx.Node, weight: fx.Node | None, bias: fx.Node | None, groups: int) -> None:
    arguments = bound_arguments(node)
    geometry = (arguments["stride"], arguments["padding"], arguments["dilation"])
    node.args, node.kwargs = (arguments["input"], weight, bias, *geometry, groups), {}
