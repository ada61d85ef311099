"""A split of a convolution's channels as one convolution per part.

    Given    split(conv(x, W, b), [c_1, c_2, ...], 1) -> y_1, y_2, ...        each y_i used by pointwise operations
    Result   y_i = conv(x, W_i, b_i)

    y_i = (W * x + b)[channels i] = W[channels i] * x + b[channels i]

W[channels i] are the rows of W. With groups, where a part is whole groups, y_i reads their channels of x only; if
x is such a convolution too and nothing else reads it, it is taken apart in turn, a depthwise convolution together
with the 1x1 convolution before it.

onnxruntime runs convolutions on a blocked layout: a split converts the map back, copies it and has its parts
converted again. The products of a gate (NAFNet's SimpleGate) stay in that layout.
"""

from __future__ import annotations

import logging
import operator
from dataclasses import dataclass

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.emitter import Emitter
from passes.not_taken import not_taken
from passes.program import add_parameter, refresh, state, where
from passes.result import PassResult, Rewrite
from passes.sizes import image_size, shape_expressions
from passes.torch_internals.names import OpOverload

_log = logging.getLogger(__name__)

aten = torch.ops.aten
_CONVOLUTIONS = (aten.conv2d.default, aten.conv2d.padding)
_SPLITS = (aten.split.Tensor, aten.split_with_sizes.default)


@dataclass(frozen=True)
class Channels:
    """Channels ``start`` to ``end``, the end not included."""

    start: int
    end: int

    @property
    def count(self) -> int:
        return self.end - self.start


def split_convolution(program: ExportedProgram) -> PassResult:
    """Takes every convolution apart that is split into parts for pointwise operations, in place."""
    image = image_size(program)
    tensors = state(program)
    rewrites = []
    for split in list(program.graph.nodes):
        if split.target not in _SPLITS:
            continue
        whole = bound_arguments(split)["self"]
        items = _items(split, whole) if len(image.spatial_axes(shape_expressions(whole))) == 2 else None
        if whole.target not in _CONVOLUTIONS or items is None:
            continue
        if not all(_is_for_pointwise(item) for item in items):
            not_taken(_log, split, "its parts are read by more than pointwise operations")
            continue
        parts = _parts(items)
        if not all(_can_take(whole, part, tensors) for part in parts):
            not_taken(
                _log, split, "the convolution is read elsewhere, has computed weights, or groups across parts"
            )
            continue
        for item, part in zip(items, parts, strict=True):
            item.replace_all_uses_with(_taken(program, whole, part, item, tensors))
        rewrites.append(
            Rewrite("split of a convolution", where(split), "1 convolution", f"{len(parts)} convolutions")
        )
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _items(split: fx.Node, whole: fx.Node) -> list[fx.Node] | None:
    """The parts of a split along the channels in order; None if one is never used, or used whole."""
    if bound_arguments(split)["dim"] % 4 != 1 or len(shape_expressions(whole)) != 4:
        return None
    items = {user.args[1]: user for user in split.users if user.target is operator.getitem}
    is_complete = len(items) == len(split.users) == len(split.meta["val"])
    return [items[index] for index in range(len(items))] if is_complete else None


def _is_for_pointwise(item: fx.Node) -> bool:
    return all(
        isinstance(user.target, OpOverload) and torch.Tag.pointwise in user.target.tags for user in item.users
    )


def _parts(items: list[fx.Node]) -> list[Channels]:
    parts, start = [], 0
    for item in items:
        end = start + int(item.meta["val"].shape[1])
        parts.append(Channels(start, end))
        start = end
    return parts


def _can_take(node: fx.Node, part: Channels, tensors: dict[str, torch.Tensor]) -> bool:
    """Whether ``node`` is a convolution nothing else reads and ``part`` of its channels is one too."""
    if node.target not in _CONVOLUTIONS or len(node.users) != 1:
        return False
    arguments = bound_arguments(node)
    layer = [arguments["weight"], arguments["bias"]]
    if not all(tensor is None or tensor.name in tensors for tensor in layer):
        return False
    needed = _needed(node, part)
    return needed is not None and (arguments["groups"] == 1 or _can_take(arguments["input"], needed, tensors))


def _needed(node: fx.Node, part: Channels) -> Channels | None:
    """The channels of the convolution's input its outputs ``part`` depend on; None if those are no whole groups."""
    arguments = bound_arguments(node)
    inputs, outputs = int(arguments["input"].meta["val"].shape[1]), int(node.meta["val"].shape[1])
    group = outputs // arguments["groups"]
    if arguments["groups"] == 1:
        return Channels(0, inputs)
    if part.start % group or part.end % group:
        return None
    per_group = inputs // arguments["groups"]
    return Channels(part.start // group * per_group, part.end // group * per_group)


def _taken(
    program: ExportedProgram, node: fx.Node, part: Channels, item: fx.Node, tensors: dict[str, torch.Tensor]
) -> fx.Node:
    """``part`` of the convolution's output channels, computed before ``item``."""
    arguments = bound_arguments(node)
    needed = _needed(node, part)
    assert needed is not None
    source, groups = arguments["input"], 1
    if arguments["groups"] > 1:
        source = _taken(program, source, needed, item, tensors)
        groups = arguments["groups"] * part.count // int(node.meta["val"].shape[1])
    weight, bias = (
        None if tensor is None else _slice(program, tensor, part, tensors)
        for tensor in (arguments["weight"], arguments["bias"])
    )
    geometry = (arguments["stride"], arguments["padding"], arguments["dilation"])
    return Emitter(item, source=node).call(node.target, source, weight, bias, *geometry, groups)


def _slice(
    program: ExportedProgram, tensor: fx.Node, part: Channels, tensors: dict[str, torch.Tensor]
) -> fx.Node:
    name = f"{tensor.name}_{part.start}_{part.end}"
    return add_parameter(program, name, tensors[tensor.name][part.start : part.end].clone())
