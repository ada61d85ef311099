"""Transposed self-attention becomes attention in windows.

Given, per image and head, with q [c_q, HW], k [c_k, HW], v [c_k, HW]::

    gram = normalize(q) @ normalize(k)^T        contracts pixels: global
    attention = softmax(gram * temperature)
    out = attention @ v                         [c_q, HW]

Result::

    out = tlc::window_attention(q, k, v, temperature)      q, k, v as [N, heads*c, H, W]

The whole attention is the function of a window (Restormer, CVPR 2022, section 3.1; windows with stride as in
the Test-time Local Converter, ECCV 2022). Recognised by what is contracted: a product over pixels, a softmax
or ReLU over channels, and a product with pixels. Normalisation, any factors between, the order of the operands
and a transposition of the attention matrix are read off the graph.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import Any

import sympy
import torch
from torch import fx

from passes.arguments import bound_arguments
from passes.axis_order import MOVES, axis_order
from passes.emitter import Emitter
from passes.not_taken import not_taken
from passes.sizes import ImageSize, shape_expressions
from passes.window_domain.door import as_map
from passes.window_domain.layout import PixelLayout, PixelLayouts
from passes.window_domain.window import FeatureMap

_log = logging.getLogger(__name__)

aten = torch.ops.aten
tlc = torch.ops.tlc

_PRODUCTS = (aten.matmul, aten.bmm)
_COPIES = (aten.clone, aten.contiguous, aten.alias, aten.detach, aten.expand, aten.dropout)
_VIEWS = (aten.view, aten.reshape, aten._unsafe_view)


@dataclass(frozen=True)
class Matrix:
    """A matrix per head on the window side: ``node``, seen transposed or not."""

    node: fx.Node
    is_transposed: bool = False


@dataclass(frozen=True)
class Factor:
    """A number for each head, or the one the scores are divided by at ``quotient``."""

    node: fx.Node
    quotient: fx.Node | None = None


@dataclass(frozen=True)
class Gram:
    """``left @ right^T`` over pixels, times factors. ``left`` and ``right`` have flat pixels."""

    left: fx.Node
    right: fx.Node
    factors: tuple[Factor, ...] = ()
    scale: float = 1.0


@dataclass(frozen=True)
class ChannelAttention:
    """One attention: what ``tlc::window_attention`` needs to stand in its place.

    Attributes:
        node: the product with the values.
        kind: what the report calls it.
        source: the values, whose map the windows slide over, and ``layout`` where they keep their pixels.
        query, key: normalised over pixels already undone when ``eps`` is a number.
    """

    node: fx.Node
    kind: str
    source: fx.Node
    layout: PixelLayout
    query: fx.Node
    key: fx.Node
    factors: tuple[Factor, ...]
    scale: float
    eps: float | None
    activation: str


def match(node: fx.Node, layouts: PixelLayouts, image: ImageSize) -> ChannelAttention | None:
    """The attention whose product with the values ``node`` is, if it is one."""
    if _packet(node) not in _PRODUCTS:
        return None
    left, right = node.args[:2]
    if not isinstance(left, fx.Node) or not isinstance(right, fx.Node):
        return None
    rank = len(shape_expressions(node))
    if _is_flat(right, rank - 1, layouts):
        return _match(node, right, Matrix(left), layouts, image)
    if _is_flat(left, rank - 2, layouts):
        return _match(node, left, Matrix(right, is_transposed=True), layouts, image)
    return None


def _match(
    node: fx.Node, values: fx.Node, matrix: Matrix, layouts: PixelLayouts, image: ImageSize
) -> ChannelAttention | None:
    """``matrix``, as it multiplies the values from the left, must be an activation of a gram matrix."""
    activated = _through_moves(matrix, image)
    if activated is None or (activation := _activation(activated)) is None:
        return None
    gram = _gram(_through_moves(Matrix(activated.node.all_input_nodes[0]), image), layouts, image)
    if gram is None:
        return None
    query, key = (gram.right, gram.left) if activated.is_transposed else (gram.left, gram.right)
    if not all(layouts[values].is_same_map(layouts[operand]) for operand in (query, key)):
        not_taken(_log, node, "queries, keys and values are of different maps")
        return None
    if not _fit(node, query, layouts):
        not_taken(_log, node, "its heads are not those of its queries")
        return None
    if any(not _is_one_per_head(factor.node, node) for factor in gram.factors):
        not_taken(_log, node, "its scores have factors that are not one number for each head")
        return None
    query, first = _without_norm(query, layouts)
    key, second = _without_norm(key, layouts)
    if first != second:
        not_taken(_log, node, "queries and keys are not normalised alike")
        return None
    return ChannelAttention(
        node,
        "channel attention",
        values,
        layouts[values],
        query,
        key,
        gram.factors,
        gram.scale,
        first,
        activation,
    )


def _packet(node: fx.Node) -> Any:
    return getattr(node.target, "overloadpacket", None)


def _is_flat(node: fx.Node, axis: int, layouts: PixelLayouts) -> bool:
    layout = layouts.get(node)
    return layout is not None and layout.is_flat and layout.height_axis == axis


def _through_moves(matrix: Matrix | None, image: ImageSize) -> Matrix | None:
    """``matrix`` before copies and transpositions of its last two axes; None where it is pixels."""
    while matrix is not None:
        node = matrix.node
        if node.op != "call_function" or image.spatial_axes(shape_expressions(node)):
            return None
        if _packet(node) in _COPIES or _is_same_shape_view(node):
            matrix = replace(matrix, node=node.all_input_nodes[0])
        elif (order := axis_order(node)) is not None and order[-2:] == [len(order) - 1, len(order) - 2]:
            matrix = Matrix(node.all_input_nodes[0], not matrix.is_transposed)
        else:
            return matrix
    return None


def _is_same_shape_view(node: fx.Node) -> bool:
    """A view that leaves the matrices alone and at most regroups what is in front of them."""
    if _packet(node) not in _VIEWS:
        return False
    before, after = shape_expressions(node.all_input_nodes[0]), shape_expressions(node)
    return len(before) >= 3 and before[-2:] == after[-2:]


def _activation(matrix: Matrix) -> str | None:
    """Softmax must normalise what is contracted with the values: columns, or rows of a transposed matrix."""
    node = matrix.node
    if node.target in (aten.softmax.int, aten._softmax.default):
        axis = node.args[1] % len(shape_expressions(node))  # type: ignore[operator]
        contracted = len(shape_expressions(node)) - (2 if matrix.is_transposed else 1)
        return "softmax" if axis == contracted else None
    return "relu" if node.target is aten.relu.default else None


def _gram(matrix: Matrix | None, layouts: PixelLayouts, image: ImageSize) -> Gram | None:
    """The product over pixels behind ``matrix`` and the factors between."""
    if matrix is None:
        return None
    node = matrix.node
    if _packet(node) in _PRODUCTS:
        left, right = node.args[:2]
        assert isinstance(left, fx.Node) and isinstance(right, fx.Node)
        rank = len(shape_expressions(node))
        if _is_flat(left, rank - 1, layouts) and _is_flat(right, rank - 2, layouts):
            return Gram(right, left) if matrix.is_transposed else Gram(left, right)
        return None
    if node.target not in (aten.mul.Tensor, aten.div.Tensor) or matrix.is_transposed:
        return None
    for operand, factor in (node.args[:2], node.args[1::-1]):
        if not isinstance(operand, fx.Node) or (node.target is aten.div.Tensor and factor is node.args[0]):
            continue
        gram = _gram(_through_moves(Matrix(operand), image), layouts, image)
        if gram is not None:
            return _times(gram, factor, node)
    return None


def _times(gram: Gram, factor: Any, node: fx.Node) -> Gram:
    is_quotient = node.target is aten.div.Tensor
    if isinstance(factor, (int, float)):
        return replace(gram, scale=gram.scale / factor if is_quotient else gram.scale * factor)
    return replace(gram, factors=(*gram.factors, Factor(factor, node if is_quotient else None)))


def _is_one_per_head(factor: fx.Node, node: fx.Node) -> bool:
    """Whether it is a number for each head of the product ``node``; one for each image needs heads on one axis."""
    value = factor.meta.get("val")
    rank = len(shape_expressions(node))
    return (
        isinstance(value, torch.Tensor)
        and all(size == 1 for size in value.shape[-2:])
        and value.dim() <= (4 if rank <= 4 else rank - 1)
    )


def _fit(node: fx.Node, query: fx.Node, layouts: PixelLayouts) -> bool:
    """Whether heads and batch of the output are those of the query, in the same order."""
    own = _others(shape_expressions(query), layouts[query])
    return own[:-1] == shape_expressions(node)[:-2]


def _others(shape: tuple[sympy.Expr, ...], layout: PixelLayout) -> tuple[sympy.Expr, ...]:
    return tuple(size for axis, size in enumerate(shape) if axis not in layout.axes)


def _without_norm(node: fx.Node, layouts: PixelLayouts) -> tuple[fx.Node, float | None]:
    """``x`` and eps where ``node`` is ``x / max(||x||, eps)`` over pixels, else ``node`` and None."""
    plain = _peeled(node, layouts)
    if plain.target is not aten.div.Tensor:
        return node, None
    numerator, denominator = plain.args[:2]
    if not isinstance(numerator, fx.Node) or not isinstance(denominator, fx.Node):
        return node, None
    while _packet(denominator) is aten.expand:
        denominator = denominator.all_input_nodes[0]
    if denominator.target not in (aten.clamp_min.default, aten.clamp.default):
        return node, None
    norm, eps = denominator.args[:2]
    axes = _axes_of_norm(norm, numerator) if isinstance(norm, fx.Node) else None
    if axes is None or numerator not in layouts or axes != set(layouts[numerator].axes):
        return node, None
    return numerator, float(eps)  # type: ignore[arg-type]


def _axes_of_norm(node: fx.Node, x: fx.Node) -> set[int] | None:
    """The axes of x that ``node`` is the Euclidean norm over, which stay with one element; None if it is none."""
    if node.target is aten.linalg_vector_norm.default:
        reduction = bound_arguments(node)
        is_of_x = reduction["ord"] == 2 and reduction["self"] is x
    elif _is_root(node) and node.args[0].target is aten.sum.dim_IntList:  # type: ignore[union-attr]
        reduction = bound_arguments(node.args[0])  # type: ignore[arg-type]
        is_of_x = _is_square(reduction["self"], x)
    else:
        return None
    if not is_of_x or not reduction["keepdim"]:
        return None
    rank = len(shape_expressions(x))
    return {dim % rank for dim in reduction["dim"] or ()}


def _is_root(node: fx.Node) -> bool:
    is_power = node.target is aten.pow.Tensor_Scalar and bool(node.args[1] == 0.5)
    return (node.target is aten.sqrt.default or is_power) and isinstance(node.args[0], fx.Node)


def _is_square(node: fx.Node, x: fx.Node) -> bool:
    if node.target is aten.mul.Tensor:
        return node.args[0] is x and node.args[1] is x
    return node.target is aten.pow.Tensor_Scalar and node.args[0] is x and bool(node.args[1] == 2)


def _peeled(node: fx.Node, layouts: PixelLayouts) -> fx.Node:
    """``node`` before copies and transpositions that keep the order of everything but the pixels."""
    while _packet(node) in (*_COPIES, *MOVES):
        source = node.all_input_nodes[0]
        if source not in layouts:
            return node
        order = axis_order(node)
        if order is not None:
            others = [axis for axis in order if axis not in layouts[source].axes]
            if others != sorted(others):
                return node
        node = source
    return node


def attend_locally(
    attention: ChannelAttention, map_: FeatureMap, layouts: PixelLayouts, ratio: int | None
) -> None:
    """Puts ``tlc::window_attention`` in the place of the attention."""
    emit = Emitter(attention.node)
    maps = []
    for operand in (attention.query, attention.key, attention.source):
        plain = _peeled(operand, layouts)
        maps.append(as_map(emit, plain, layouts[plain]))
    shape = shape_expressions(attention.node)
    head_axes = [int(size) for size in shape[1:-2]]
    attended = emit.call(
        tlc.window_attention.default,
        *maps,
        _temperature(emit, attention.factors, head_axes),
        math.prod(head_axes),
        *map_.window,
        attention.eps is not None,
        1e-12 if attention.eps is None else attention.eps,
        attention.scale,
        attention.activation,
    )
    pixels_last = attention.source is attention.node.args[1]
    attention.node.replace_all_uses_with(_in_place(emit, attended, shape, pixels_last))


def _temperature(emit: Emitter, factors: tuple[Factor, ...], head_axes: list[int]) -> fx.Node | None:
    """The product of all factors, broadcastable to [N, heads, c_q, c_k]; heads on several axes become one."""
    product: fx.Node | None = None
    for factor in factors:
        number = factor.node
        if factor.quotient is not None:
            number = Emitter(factor.quotient).call(aten.reciprocal.default, number)
        product = number if product is None else emit.call(aten.mul.Tensor, product, number)
    if product is None or len(head_axes) < 2:
        return product
    each = emit.call(aten.expand.default, product, [*head_axes, 1, 1])
    return emit.reshape(each, [math.prod(head_axes), 1, 1])


def _in_place(emit: Emitter, attended: fx.Node, shape: tuple[sympy.Expr, ...], pixels_last: bool) -> fx.Node:
    """The attended map [N, heads*c_q, H, W] in the shape of the product it replaces."""
    rank = len(shape)
    axis = rank - 1 if pixels_last else rank - 2
    others = [size for index, size in enumerate(shape) if index != axis]
    batch = emit.size(attended, 0)
    flat = emit.reshape(attended, [batch, *(int(size) for size in others[1:]), -1])
    return flat if pixels_last else emit.call(aten.transpose.int, flat, -1, -2)
