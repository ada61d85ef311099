"""Norms of tokens, computed on the map the tokens are made of.

    Given    x [N, C, H, W] -> permute, reshape -> tokens [N, H*W, C] -> f -> reshape, permute -> y [N, C, H, W]
    Result   x -> f with its channels on axis 1 -> y

f takes pixels one at a time: pointwise operations, constants with a number per channel, means, variances and layer
norms over the channels, with d = t - mean(t):

    var(t, correction) = mean(d * d) * C / (C - correction)
    layer_norm(t, weight, bias, eps) = d / sqrt(mean(d * d) + eps) * weight + bias

Transformers for images write every norm this way. On the map, its scale and shift are part of the convolution that
follows, and nothing is transposed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.axis_order import axis_order
from passes.emitter import Emitter
from passes.not_taken import not_taken
from passes.program import refresh, state, where
from passes.result import PassResult, Rewrite
from passes.simplify.common_subexpressions import share_common_subexpressions
from passes.simplify.fold_constants import fold_constants
from passes.sizes import same, shape_expressions
from passes.torch_internals.names import OpOverload

_log = logging.getLogger(__name__)

aten = torch.ops.aten
_VIEWS = (aten.reshape.default, aten.view.default, aten.flatten.using_ints)
_VARIANCES = (aten.var.dim, aten.var.correction)
_NORMS = (aten.mean.dim, *_VARIANCES, aten.layer_norm.default)


def token_norm(program: ExportedProgram) -> PassResult:
    """Moves every norm between a map and the map its tokens return to, in place."""
    constants = state(program).keys()
    rewrites = []
    for node in list(program.graph.nodes):
        tokens = _tokens_behind(node)
        if tokens is None:
            continue
        region = _region(node, tokens, constants)
        if region is None:
            not_taken(
                _log,
                node,
                "something before it takes more than one token at a time, or its tokens are in another order",
            )
            continue
        if not _is_worth_it(region, node):
            not_taken(_log, node, "there is no norm before it, or its tokens are read elsewhere too")
            continue
        node.replace_all_uses_with(_Emission(Emitter(node), region, constants).map_of(tokens))
        rewrites.append(Rewrite("norm of tokens", where(node), "on tokens", "on the map"))
    if not rewrites:
        return PassResult()
    refresh(program)
    tidied = fold_constants(program) + share_common_subexpressions(program.graph)
    refresh(program)
    return PassResult(tuple(rewrites)) + tidied


def _tokens_behind(node: fx.Node) -> fx.Node | None:
    """The tokens [N, H*W, C] or [N, H, W, C] that ``node`` returns to a map [N, C, H, W]."""
    if axis_order(node) == [0, 3, 1, 2]:
        source = node.all_input_nodes[0]
        unflattened = source.all_input_nodes[:1] if source.target in _VIEWS else []
        return unflattened[0] if unflattened and _is_flattened(source, unflattened[0]) else source
    if node.target not in _VIEWS:
        return None
    source = node.all_input_nodes[0]
    if axis_order(source) != [0, 2, 1]:
        return None
    return source.all_input_nodes[0] if _is_flat_map(source, node) else None


def _map_before(tokens: fx.Node) -> fx.Node | None:
    """The map [N, C, H, W] whose pixels ``tokens`` are, in order."""
    if axis_order(tokens) == [0, 2, 3, 1]:
        return tokens.all_input_nodes[0]
    if axis_order(tokens) == [0, 2, 1]:
        flat = tokens.all_input_nodes[0]
        if flat.target not in _VIEWS or not _is_flat_map(flat, flat.all_input_nodes[0]):
            return None
        return flat.all_input_nodes[0]
    if tokens.target not in _VIEWS:
        return None
    source = tokens.all_input_nodes[0]
    if axis_order(source) != [0, 2, 3, 1] or not _is_flattened(source, tokens):
        return None
    return source.all_input_nodes[0]


def _is_flat_map(flat: fx.Node, map_: fx.Node) -> bool:
    """Whether flat is [N, C, H*W] of a map [N, C, H, W]."""
    own, shape = shape_expressions(flat), shape_expressions(map_)
    return len(shape) == 4 and own[:2] == shape[:2] and same(own[2], shape[2] * shape[3])


def _is_flattened(pixels: fx.Node, tokens: fx.Node) -> bool:
    """Whether tokens are [N, H*W, C] of pixels [N, H, W, C]."""
    shape, flat = shape_expressions(pixels), shape_expressions(tokens)
    if len(shape) != 4 or len(flat) != 3:
        return False
    return shape[0] == flat[0] and shape[3] == flat[2] and same(shape[1] * shape[2], flat[1])


def _region(end: fx.Node, tokens: fx.Node, constants: Any) -> set[fx.Node] | None:
    """All nodes between maps of the shape of ``end`` and ``tokens``.

    None if one of them takes more than a pixel at a time, or the pixels return in another arrangement.
    """
    region: set[fx.Node] = set()
    open_nodes = [tokens]
    while open_nodes:
        node = open_nodes.pop()
        if node in region:
            continue
        map_ = _map_before(node)
        if map_ is not None:
            if shape_expressions(map_) != shape_expressions(end):
                return None
            continue
        if node.name in constants:
            if not _is_per_channel(node, shape_expressions(tokens)[-1]):
                return None
            continue
        if not _takes_pixels(node, len(shape_expressions(tokens))):
            return None
        region.add(node)
        open_nodes += node.all_input_nodes
    return region


def _is_per_channel(constant: fx.Node, channels: Any) -> bool:
    shape = shape_expressions(constant)
    return all(size == 1 for size in shape[:-1]) and (not shape or shape[-1] in (1, channels))


def _takes_pixels(node: fx.Node, rank: int) -> bool:
    if node.op != "call_function" or not isinstance(node.meta.get("val"), torch.Tensor):
        return False
    arguments = bound_arguments(node) if isinstance(node.target, OpOverload) else {}
    if node.target is aten.layer_norm.default:
        return len(arguments["normalized_shape"]) == 1
    if node.target in _NORMS:
        axes = [dim % rank for dim in arguments["dim"] or ()]
        return axes == [rank - 1] and arguments["keepdim"] and arguments.get("dtype") is None
    tags = getattr(node.target, "tags", ())
    if torch.Tag.pointwise not in tags or torch.Tag.nondeterministic_seeded in tags:
        return False
    return len(shape_expressions(node)) == rank


def _is_worth_it(region: set[fx.Node], end: fx.Node) -> bool:
    """Whether there is a norm, and nothing else reads what would be computed a second time."""
    behind = {end, end.all_input_nodes[0]}
    return any(node.target in _NORMS for node in region) and all(
        user in region or user in behind for node in region for user in node.users
    )


@dataclass
class _Emission:
    """Writes a region once more, with channels on axis 1."""

    emit: Emitter
    region: set[fx.Node]
    constants: Any
    made: dict[fx.Node, fx.Node] = field(default_factory=dict)

    def map_of(self, node: fx.Node) -> fx.Node:
        if node not in self.made:
            self.made[node] = self._written(node)
        return self.made[node]

    def _written(self, node: fx.Node) -> fx.Node:
        if node.name in self.constants:
            return self.emit.call(aten.reshape.default, node, [1, -1, 1, 1])
        if node not in self.region:
            map_ = _map_before(node)
            assert map_ is not None
            return map_
        if node.target is aten.layer_norm.default:
            return self._layer_norm(**bound_arguments(node))
        if node.target is aten.mean.dim:
            return self._mean(self.map_of(node.all_input_nodes[0]))
        if node.target in _VARIANCES:
            return self._variance(node)
        args = fx.map_arg(node.args, self.map_of)
        return self.emit.call(node.target, *args, **fx.map_arg(node.kwargs, self.map_of))

    def _layer_norm(
        self, input: fx.Node, weight: fx.Node | None, bias: fx.Node | None, eps: float, **_: Any
    ) -> fx.Node:
        centred = self._centred(self.map_of(input))
        deviation = self.emit.call(
            aten.sqrt.default,
            self.emit.call(aten.add.Tensor, self._square_mean(centred), eps),
        )
        normal = self.emit.call(aten.div.Tensor, centred, deviation)
        if weight is not None:
            normal = self.emit.call(aten.mul.Tensor, normal, self.map_of(weight))
        return normal if bias is None else self.emit.call(aten.add.Tensor, normal, self.map_of(bias))

    def _variance(self, node: fx.Node) -> fx.Node:
        arguments = bound_arguments(node)
        correction = arguments["correction"] if "correction" in arguments else int(arguments["unbiased"])
        correction = 1 if correction is None else correction
        channels = int(shape_expressions(node.all_input_nodes[0])[-1])
        biased = self._square_mean(self._centred(self.map_of(node.all_input_nodes[0])))
        if correction == 0:
            return biased
        return self.emit.call(aten.mul.Tensor, biased, channels / (channels - correction))

    def _centred(self, map_: fx.Node) -> fx.Node:
        return self.emit.call(aten.sub.Tensor, map_, self._mean(map_))

    def _square_mean(self, map_: fx.Node) -> fx.Node:
        return self._mean(self.emit.call(aten.mul.Tensor, map_, map_))

    def _mean(self, map_: fx.Node) -> fx.Node:
        return self.emit.call(aten.mean.dim, map_, [1], True)
