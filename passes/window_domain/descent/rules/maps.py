"""Operations along the rows and columns of a map: in place, on a coarser or a finer map.

A convolution, a pool or an interpolation computes element i of n from elements around i / n of the map; a border
of a size that does not grow with the image is an offset of as many elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sympy
import torch
from torch import fx

from passes.sizes import same, shape_expressions
from passes.window_domain.axis import Axis
from passes.window_domain.descent.digits import Axes, Counts, Digits, steps_of, whole
from passes.window_domain.descent.operation import NoRule, Operation, Result, Rule
from passes.window_domain.descent.sampled import Values, is_bounded, is_constant, is_zero


def convolution(operation: Operation) -> Axes:
    source, weight = operation.node.args[:2]
    rank = len(shape_expressions(weight)) - 2  # type: ignore[arg-type]
    axes = operation.axes(source)
    if len(axes) != rank + 2:
        raise NoRule
    return (axes[0], _mixed(operation, axes[1]), *operation.spatially(source, rank))


def _mixed(operation: Operation, digits: Digits) -> Digits:
    """The channels of the result; a batch beside them, of a convolution with a kernel per image, stays."""
    size = operation.sizes[1]
    if is_constant(size):
        return operation.plain(operation.shape[1])
    if size == operation.size(shape_expressions(operation.node.args[0])[1]):  # type: ignore[arg-type]
        return digits
    return operation.ended(digits, size, "mixed with other channels")


def pool(rank: int) -> Rule:
    def rule(operation: Operation) -> Result:
        source = operation.node.args[0]
        values = operation.node.meta["val"]
        if isinstance(values, torch.Tensor):
            return (*operation.axes(source)[:-rank], *operation.spatially(source, rank))
        shape, before = values[0].shape, shape_expressions(source)  # type: ignore[arg-type]
        after = [operation.number(size) for size in shape]
        axes = operation.axes(source)
        pooled = tuple(operation.along(axes[-b], before[-b], after[-b]) for b in range(rank, 0, -1))
        return [(*axes[:-rank], *pooled) for _ in values]

    return rule


def resize(operation: Operation) -> Axes:
    source = operation.node.args[0]
    rank = len(operation.shape) - 2
    return (*operation.axes(source)[:2], *operation.spatially(source, rank))


def shuffle(operation: Operation) -> Axes:
    """Channels to blocks of pixels and back."""
    source = operation.node.args[0]
    leading = operation.axes(source)[:-3]
    return (*leading, operation.plain(operation.shape[-3]), *operation.spatially(source, 2))


def pad(operation: Operation) -> Axes:
    arguments = operation.arguments
    amounts = arguments["pad"] if "pad" in arguments else arguments["padding"]
    source = operation.node.args[0]
    axes, before = list(operation.axes(source)), shape_expressions(source)  # type: ignore[arg-type]
    for place, (low, high) in enumerate(zip(amounts[::2], amounts[1::2], strict=True)):
        axis = len(axes) - 1 - place
        axes[axis] = _padded(operation, axes[axis], before[axis], axis, low, high)
    return tuple(axes)


def _padded(
    operation: Operation, digits: Digits, before: sympy.Expr, axis: int, low: Any, high: Any
) -> Digits:
    after = operation.shape[axis]
    if all(is_zero(operation.number(amount), operation.image) for amount in (low, high)):
        return digits or operation.plain(after)
    if all(digit.counts is Counts.IMAGES for digit in digits):
        return digits or operation.plain(after)
    if not all(is_bounded(operation.number(amount), operation.image) for amount in (low, high)):
        return operation.ended(digits, operation.size(after), "padded with a size that grows")
    if steps_of(digits) or len(digits) > 1:
        return operation.ended(digits, operation.size(after), "padded")
    return operation.along(digits, before, after, "padded")


def columns(operation: Operation) -> Axes:
    """Neighbourhoods as columns: [N, C, H, W] -> [N, C * k_h * k_w, blocks], the blocks a map in row-major order."""
    arguments = operation.arguments
    source = arguments["self"]
    assert isinstance(source, fx.Node)
    axes, before = operation.axes(source), shape_expressions(source)
    blocks: list[Any] = []
    for index, axis in enumerate((-2, -1)):
        kernel, dilation, padding, stride = (
            _at(arguments[name], index) for name in ("kernel_size", "dilation", "padding", "stride")
        )
        count = (
            sympy.floor((before[axis] + 2 * padding - dilation * (kernel - 1) - 1) / sympy.Integer(stride))
            + 1
        )
        digits = operation.along(axes[axis], before[axis], count, "unfolded")
        if stride == 1 and same(count, before[axis]) and len(digits) == 1:
            digits = (replace(digits[0], extent=Axis(source, len(before) + axis)),)
        blocks += digits
    return (*axes[:-3], operation.plain(operation.shape[-2]), tuple(blocks))


def _at(values: Sequence[int] | int, index: int) -> int:
    return values if isinstance(values, int) else values[index if len(values) > 1 else 0]


def from_columns(operation: Operation) -> Axes:
    """The inverse: where the blocks are a map in row-major order, what they are put together to is one."""
    axes = operation.axes(operation.node.args[0])
    blocks = axes[-1]
    leading = (*axes[:-2], operation.plain(operation.shape[-3]))
    if all(digit.counts is Counts.CHANNELS or digit.is_free for digit in blocks):
        return (*leading, *(operation.plain(size) for size in operation.shape[-2:]))
    in_order = [digit.counts for digit in blocks] == [Counts.ROWS, Counts.COLUMNS]
    if in_order and all(digit.is_in_place for digit in blocks):
        sizes: list[Values] = operation.sizes[-2:]
        return (
            *leading,
            *(whole(digit.counts, size, digit.part) for digit, size in zip(blocks, sizes, strict=True)),
        )
    return (*leading, *(operation.ended(blocks, size, "folded") for size in operation.sizes[-2:]))


def blocks(operation: Operation) -> Axes:
    """``Tensor.unfold``: overlapping pieces of one axis, their elements on a new last axis."""
    arguments = operation.arguments
    source = arguments["self"]
    axes, before = list(operation.axes(source)), shape_expressions(source)
    dim = arguments["dimension"] % len(axes)
    if not operation.shape[-1].is_Integer:
        axes[dim] = operation.ended(axes[dim], operation.sizes[dim], "cut into pieces that grow")
        return (*axes, operation.ended((), operation.sizes[-1], "cut into pieces that grow"))
    axes[dim] = operation.along(axes[dim], before[dim], operation.shape[dim], "unfolded")
    return (*axes, operation.plain(operation.shape[-1]))


def statistic(operation: Operation) -> Axes:
    """A ``tlc::`` operator: a map of windows, or of what was computed from them."""
    source = operation.node.args[0]
    return (operation.axes(source)[0], operation.plain(operation.shape[1]), *operation.spatially(source, 2))


_RESIZES = (
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d", "upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d",
    "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "upsample_trilinear3d",
)  # fmt: skip
_CONVOLUTIONS = (
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution",
    "deform_conv2d",
)  # fmt: skip
_PADS = (
    "pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d",
)  # fmt: skip

RULES: dict[str, Rule] = {
    **dict.fromkeys(_CONVOLUTIONS, convolution),
    **dict.fromkeys(_RESIZES, resize),
    **dict.fromkeys(_PADS, pad),
    **{
        f"{prefix}{kind}_pool{rank}d": pool(rank)
        for prefix in ("", "adaptive_", "_adaptive_")
        for kind in ("avg", "max")
        for rank in (1, 2, 3)
    },
    **{f"max_pool{rank}d_with_indices": pool(rank) for rank in (1, 2, 3)},
    **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"), shuffle),
    "im2col": columns,
    "col2im": from_columns,
    "unfold": blocks,
}
