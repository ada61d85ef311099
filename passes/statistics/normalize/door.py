"""Normalisation over space becomes normalisation over the window.

    Given    instance_norm(x, weight, bias)       also group norm, layer norm over (C, H, W),
                                                  and (x - mean(x)) / sqrt(var(x) + eps) written out
    Result   tlc::local_normalize(x, window, groups) * weight + bias

    local_normalize(x)[p] = (x[p] - mean(window at p)) / sqrt(var(window at p) + eps)

with mean and biased variance over the window and the channels of a group: groups = C is instance norm, groups
= 1 layer norm over (C, H, W). Norms over channels only, or over the windows of a window attention, are not
global and stay. Half instance norm (HINet, CVPR workshops 2021) is the first form on a slice of channels.
"""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.emitter import Emitter
from passes.not_taken import not_taken
from passes.sizes import ImageSize, shape_expressions
from passes.statistics.mean.door import is_mean_of
from passes.window_domain.door import as_map
from passes.window_domain.layout import PixelLayout, PixelLayouts
from passes.window_domain.window import FeatureMap

_log = logging.getLogger(__name__)

aten = torch.ops.aten
tlc = torch.ops.tlc


@dataclass(frozen=True)
class Norm:
    """One normalisation over a whole map.

    Attributes:
        node: produces the normalised pixels.
        kind: what the report calls it.
        groups: statistics per image, or None for one per channel.
        weight, bias: per channel, or None.
        results: the nodes that stand for the normalised pixels.
    """

    node: fx.Node
    kind: str
    source: fx.Node
    layout: PixelLayout
    groups: int | None
    eps: float
    weight: fx.Node | None
    bias: fx.Node | None
    results: tuple[fx.Node, ...] = ()


def match(node: fx.Node, layouts: PixelLayouts, image: ImageSize) -> Norm | None:
    """The normalisation ``node`` is, if it is one over a whole map and nothing reads its mean or deviation."""
    matcher = _MATCHERS.get(node.target)
    if matcher is None or not isinstance(node.args[0], fx.Node) or node.args[0] not in layouts:
        return None
    norm = matcher(node, node.args[0], layouts[node.args[0]], bound_arguments(node))
    if norm is None:
        return None
    results = _results(node)
    if results is None:
        not_taken(_log, node, "its mean or deviation is read too")
        return None
    return replace(norm, results=results)


def _instance_norm(
    node: fx.Node, source: fx.Node, layout: PixelLayout, arguments: dict[str, Any]
) -> Norm | None:
    if not arguments["use_input_stats"] or not _follows_channels(source, layout):
        return None
    weight, bias = arguments["weight"], arguments["bias"]
    return Norm(node, "instance norm", source, layout, None, arguments["eps"], weight, bias)


def _group_norm(
    node: fx.Node, source: fx.Node, layout: PixelLayout, arguments: dict[str, Any]
) -> Norm | None:
    if not _follows_channels(source, layout):
        return None
    groups = arguments["num_groups"] if "num_groups" in arguments else arguments["group"]
    weight, bias = arguments["weight"], arguments["bias"]
    return Norm(node, "group norm", source, layout, groups, arguments["eps"], weight, bias)


def _layer_norm(
    node: fx.Node, source: fx.Node, layout: PixelLayout, arguments: dict[str, Any]
) -> Norm | None:
    rank = len(shape_expressions(source))
    normalized = set(range(rank - len(arguments["normalized_shape"]), rank))
    kept = set(range(rank)) - normalized - {0}
    if not set(layout.axes) <= normalized or arguments["weight"] is not None or 0 in normalized:
        return None
    over_channels = normalized - set(layout.axes)
    if over_channels and kept:
        return None
    groups = 1 if over_channels else None
    return Norm(node, "layer norm", source, layout, groups, arguments["eps"], None, None)


def _written_out(
    node: fx.Node, source: fx.Node, layout: PixelLayout, arguments: dict[str, Any]
) -> Norm | None:
    """``(x - mean(x)) / sqrt(var(x) + eps)``, or times ``rsqrt``, with a biased variance."""
    centred, deviation = node.args[:2]
    if not isinstance(deviation, fx.Node) or not isinstance(centred, fx.Node):
        return None
    if node.target is aten.mul.Tensor and deviation.target is not aten.rsqrt.default:
        centred, deviation = deviation, centred
    inverse = aten.rsqrt.default if node.target is aten.mul.Tensor else aten.sqrt.default
    if deviation.target is not inverse or centred.target is not aten.sub.Tensor:
        return None
    pixels, mean = centred.args[:2]
    shifted = deviation.args[0]
    if not isinstance(pixels, fx.Node) or not isinstance(mean, fx.Node) or not isinstance(shifted, fx.Node):
        return None
    if shifted.target is not aten.add.Tensor or not isinstance(eps := shifted.args[1], float):
        return None
    axes = _variance_axes(shifted.args[0], pixels)
    if axes is None or not is_mean_of(mean, pixels, axes) or not set(layout.axes) <= set(axes):
        return None
    others = set(range(1, len(shape_expressions(pixels)))) - set(layout.axes)
    if set(axes) - set(layout.axes) not in (set(), others) or centred.kwargs or shifted.kwargs:
        return None
    groups = 1 if others <= set(axes) else None
    return Norm(node, "written-out norm", pixels, layout, groups, eps, None, None)


def _variance_axes(node: Any, source: fx.Node) -> list[int] | None:
    """The axes of a biased variance of ``source`` that keeps its dimensions."""
    if not isinstance(node, fx.Node) or node.target is not aten.var.correction or node.args[0] is not source:
        return None
    arguments = bound_arguments(node)
    if arguments["correction"] != 0 or not arguments["keepdim"] or arguments["dim"] is None:
        return None
    return [dim % len(shape_expressions(source)) for dim in arguments["dim"]]


def _follows_channels(source: fx.Node, layout: PixelLayout) -> bool:
    """Whether the tensor is [N, C, pixels]."""
    return tuple(layout.axes) == tuple(range(2, len(shape_expressions(source))))


_MATCHERS: dict[Any, Callable[[fx.Node, fx.Node, PixelLayout, dict[str, Any]], Norm | None]] = {
    aten.instance_norm.default: _instance_norm,
    aten.group_norm.default: _group_norm,
    aten.native_group_norm.default: _group_norm,
    aten.layer_norm.default: _layer_norm,
    aten.native_layer_norm.default: _layer_norm,
    aten.div.Tensor: _written_out,
    aten.mul.Tensor: _written_out,
}


def normalize_locally(norm: Norm, map_: FeatureMap, layouts: PixelLayouts, ratio: int | None) -> None:
    """Puts the local normalisation in the place of ``norm``."""
    emit = Emitter(norm.node)
    pixels = as_map(emit, norm.source, norm.layout)
    groups = _channel_count(norm) if norm.groups is None else norm.groups
    statistics = (*map_.window, groups, norm.eps)
    if ratio is None:
        normalized = emit.call(tlc.local_normalize.default, pixels, *statistics)
    else:
        normalized = emit.call(tlc.grid_normalize.default, pixels, *statistics, ratio)
    for parameter, target in ((norm.weight, aten.mul.Tensor), (norm.bias, aten.add.Tensor)):
        if parameter is not None:
            normalized = emit.call(target, normalized, emit.reshape(parameter, [1, -1, 1, 1]))
    result = from_map(emit, normalized, norm.source, norm.layout)
    for node in norm.results:
        node.replace_all_uses_with(result)


def _channel_count(norm: Norm) -> int:
    shape = shape_expressions(norm.source)
    return math.prod(int(size) for axis, size in enumerate(shape) if axis and axis not in norm.layout.axes)


def _results(node: fx.Node) -> tuple[fx.Node, ...] | None:
    """The nodes that stand for the normalised pixels, or None where mean or deviation is read too."""
    if isinstance(node.meta["val"], torch.Tensor):
        return (node,)
    if all(user.target is operator.getitem and user.args[1] == 0 for user in node.users):
        return tuple(node.users)
    return None


def from_map(emit: Emitter, pixels: fx.Node, like: fx.Node, layout: PixelLayout) -> fx.Node:
    """``[s0, other axes flattened, H, W]`` brought back to the layout of ``like``."""
    shape = shape_expressions(like)
    if len(shape) == 4 and layout.axes == (2, 3):
        return pixels
    others = [axis for axis in range(len(shape)) if axis not in layout.axes]
    stored = [*others, *layout.axes]
    sizes = [int(shape[axis]) if shape[axis].is_Integer else emit.size(like, axis) for axis in stored]
    restored = emit.reshape(pixels, sizes)
    order = [stored.index(axis) for axis in range(len(shape))]
    return restored if order == sorted(order) else emit.call(aten.permute.default, restored, order)
