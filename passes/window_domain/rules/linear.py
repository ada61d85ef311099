"""Everything linear over channels becomes a 1x1 convolution over the grid of windows.

    linear(s [N, C], W [O, C], b)            conv2d(physical, W as [O, C, 1, 1], b)
    s [N, C] @ W [C, O]                      the same with W transposed
    conv2d(s [N, C, 1, 1], W [O, C/g, kh, kw], padding p)
                                             conv2d with the one tap that meets the element, W[:, :, p/d, p/d]
    conv1d(s [N, 1, C], W) across channels   conv2d along C with W as [O, I, k, 1], the grid flattened behind it

A convolution with a larger kernel reads only zeros around the 1x1 map. Left alone on the grid it would mix
windows.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from passes.sizes import shape_expressions
from passes.window_domain.lifted import (
    Lifted,
    NotLiftable,
    Shape,
    broad_axes,
    reshape_inside,
    result_shape,
)
from passes.window_domain.rules.site import Rule, Site

aten = torch.ops.aten


def lift_conv2d(site: Site) -> Lifted:
    arguments = site.arguments
    lifted = site.lifted(arguments["input"])
    if arguments.get("transposed"):
        raise NotLiftable("a transposed convolution spreads the vector over several pixels")
    weight, bias = site.constant(arguments["weight"]), site.constant(arguments["bias"])
    assert weight is not None
    shape = result_shape(site.node)
    if lifted.shape[2:] != (1, 1) or shape[2:] != (1, 1):
        raise NotLiftable("the convolution does not map one element to one element")
    taps = [int(size) for size in shape_expressions(weight)]
    for axis, dilation in zip((2, 3), _pair(arguments["dilation"]), strict=True):
        weight = _centre_tap(site, weight, axis, taps[axis], arguments["padding"], dilation)
    result = site.emit.call(
        aten.conv2d.default, lifted.node, weight, bias, [1, 1], [0, 0], [1, 1], arguments["groups"]
    )
    return Lifted(result, shape, lifted.grid)


def _centre_tap(site: Site, weight: fx.Node, axis: int, taps: int, padding: Any, dilation: int) -> fx.Node:
    if taps == 1:
        return weight
    if isinstance(padding, str):
        before = dilation * (taps - 1) // 2 if padding == "same" else 0
    else:
        before = _pair(padding)[axis - 2]
    if before % dilation:
        raise NotLiftable("no tap of the convolution meets the element")
    return site.emit.call(aten.slice.Tensor, weight, axis, before // dilation, before // dilation + 1)


def _pair(value: Any) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])


def lift_conv1d(site: Site) -> Lifted:
    arguments = site.arguments
    lifted = site.lifted(arguments["input"])
    weight, bias = site.constant(arguments["weight"]), site.constant(arguments["bias"])
    shape = result_shape(site.node)
    if len(shape) != 3 or isinstance(arguments["padding"], str):
        raise NotLiftable("the one-dimensional convolution has a form no rule covers")
    batch, height, width = (site.emit.size(lifted.node, axis) for axis in (0, 2, 3))
    columns = site.emit.reshape(lifted.node, [batch, int(lifted.shape[1]), int(lifted.shape[2]), -1])
    taps = site.emit.call(aten.unsqueeze.default, weight, -1)
    stride, padding, dilation = ([_pair(arguments[key])[0]] for key in ("stride", "padding", "dilation"))
    result = site.emit.call(
        aten.conv2d.default,
        columns,
        taps,
        bias,
        [*stride, 1],
        [*padding, 0],
        [*dilation, 1],
        arguments["groups"],
    )
    channels = math.prod(int(size) for size in shape[1:])
    return Lifted(site.emit.reshape(result, [batch, channels, height, width]), shape, lifted.grid)


def lift_linear(site: Site) -> Lifted:
    arguments = site.arguments
    lifted = site.lifted(arguments["input"])
    return _channel_mixing(site, lifted, arguments["weight"], site.constant(arguments["bias"]))


def lift_addmm(site: Site) -> Lifted:
    arguments = site.arguments
    if arguments["beta"] != 1 or arguments["alpha"] != 1:
        raise NotLiftable("addmm with factors other than 1")
    lifted = site.lifted(arguments["mat1"])
    bias = site.constant(arguments["self"])
    if bias is None or len(shape_expressions(bias)) != 1:
        raise NotLiftable("addmm with a matrix as its bias")
    return _channel_mixing(site, lifted, arguments["mat2"], bias, is_transposed=True)


def lift_matmul(site: Site) -> Lifted:
    """``s @ W`` with a constant matrix, or ``W @ s`` where ``s`` is one column."""
    left, right = site.node.args[:2]
    if isinstance(site.values.get(left), Lifted):  # type: ignore[arg-type]
        return _channel_mixing(site, site.lifted(left), right, None, is_transposed=True)
    lifted = site.lifted(right)
    if lifted.shape[-1] != 1:
        raise NotLiftable("a matrix product over several columns of the statistic")
    return _channel_mixing(site, lifted, left, None, axis=-2)


def _channel_mixing(
    site: Site, lifted: Lifted, matrix: Any, bias: Any, axis: int = -1, is_transposed: bool = False
) -> Lifted:
    """``matrix`` [O, C] (or [C, O]) applied along ``axis``; other broad axes go to the batch."""
    shape = result_shape(site.node)
    weight = site.constant(matrix)
    if weight is None or len(shape_expressions(weight)) != 2:
        raise NotLiftable("a matrix product with something else than one constant matrix")
    outputs, inputs = (int(size) for size in shape_expressions(weight))
    if is_transposed:
        outputs, inputs, weight = inputs, outputs, site.emit.call(aten.t.default, weight)
    axis %= len(lifted.shape)
    others = [other for other in broad_axes(lifted.shape) if other != axis]
    if any(other > axis for other in others):
        raise NotLiftable("a matrix product on an axis before the last")
    kernel = site.emit.reshape(weight, [outputs, inputs, 1, 1])
    vectors = _others_to_batch(site, lifted, others, inputs)
    result = site.emit.call(aten.conv2d.default, vectors, kernel, bias)
    return Lifted(_others_from_batch(site, result, lifted, others, shape), shape, lifted.grid)


def _others_to_batch(site: Site, lifted: Lifted, others: list[int], inputs: int) -> fx.Node:
    if not others:
        return lifted.node
    height, width = (site.emit.size(lifted.node, axis) for axis in (2, 3))
    return site.emit.reshape(lifted.node, [-1, inputs, height, width])


def _others_from_batch(
    site: Site, result: fx.Node, lifted: Lifted, others: list[int], shape: Shape
) -> fx.Node:
    if not others:
        return result
    return reshape_inside(site.emit, result, [math.prod(int(size) for size in shape[1:])], like=lifted.node)


RULES: dict[Any, Rule] = {
    aten.conv2d: lift_conv2d,
    aten.convolution: lift_conv2d,
    aten.conv1d: lift_conv1d,
    aten.linear: lift_linear,
    aten.addmm: lift_addmm,
    aten.mm: lift_matmul,
    aten.matmul: lift_matmul,
}
