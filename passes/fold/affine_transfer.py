"""One transfer rule per operation: the affine form of its result from the forms of its activations.

Every rule either returns the exact form or raises :class:`NotAffineError` with a reason. Operations that are
linear but have no form here (reflect padding) have a rule that only refuses, by name.
An operation without a rule begins a new root and is not worth a word: an activation function, a pooling over
the image.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from passes.arguments import END, ordered_arguments
from passes.fold.affine_form import (
    Form,
    NotAffineError,
    added,
    concatenated,
    convolved,
    padded,
    painted,
    scaled,
    selected,
    subsampled,
)
from passes.fold.batch_norm import scale_and_shift
from passes.fold.channel_constants import ChannelConstants, covers_everything
from passes.simplify.exact_constants import ExactConstants
from passes.sizes import expression

_aten = torch.ops.aten
_ONE = torch.ones(1, dtype=torch.float64)
SPLITS = {_aten.split.Tensor, _aten.split_with_sizes.default, _aten.chunk.default}


@dataclass(frozen=True)
class Transfer:
    """What a rule may look at.

    Attributes:
        constants: exact values of parameters and what is computed from them.
        channel_constants: values that are constant over batch and pixels.
        forms: the forms of the activations with respect to the one root in question.
        limit: the most weights a composed kernel may hold.
    """

    constants: ExactConstants
    channel_constants: ChannelConstants
    forms: dict[fx.Node, Form]
    limit: int

    def form(self, value: object) -> Form:
        """The form of an activation argument."""
        if isinstance(value, fx.Node) and value in self.forms:
            return self.forms[value]
        raise NotAffineError("it combines the value with another that is not affine in the same activation")

    def per_channel(self, value: object) -> torch.Tensor:
        """A float64 [1] or [C] constant argument."""
        found = self.channel_constants.get(value)
        if found is None:
            raise NotAffineError("it combines the value with one that varies over the image or with its size")
        return found

    def exact(self, value: object) -> torch.Tensor:
        """A constant tensor argument in float64."""
        if not isinstance(value, fx.Node) or value not in self.constants.nodes:
            raise NotAffineError("its weights are computed from an input")
        return self.constants.exact(value)

    def optional(self, value: object) -> torch.Tensor | None:
        """A constant tensor argument in float64, or None."""
        return None if value is None else self.exact(value)


Rule = Callable[[fx.Node, Transfer], Form]


def transfer(node: fx.Node, context: Transfer) -> Form:
    """The form of ``node``.

    Raises:
        NotAffineError: with the reason for a person.
    """
    return RULES[node.target](node, context)


def activations(node: fx.Node, channel_constants: ChannelConstants) -> list[fx.Node]:
    """The tensors ``node`` reads that are not constant over batch and pixels."""
    return [
        source
        for source in node.all_input_nodes
        if isinstance(source.meta["val"], (torch.Tensor, tuple, list)) and source not in channel_constants
    ]


def _pair(value: Any) -> tuple[int, int]:
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(entry, int) for entry in values):
        raise NotAffineError("a stride, padding or size of it depends on the image")
    return values[0], values[-1]


def _convolution(node: fx.Node, context: Transfer) -> Form:
    x, weight, bias, stride, padding, dilation, groups = ordered_arguments(node)
    kernel, steps, spread = context.exact(weight), _pair(stride), _pair(dilation)
    if isinstance(padding, str):
        reach = [spread[i] * (kernel.shape[2 + i] - 1) if padding == "same" else 0 for i in range(2)]
        rows, columns = ((total // 2, total - total // 2) for total in reach)
    else:
        rows, columns = ((amount, amount) for amount in _pair(padding))
    form = padded(context.form(x), rows, columns, 0.0)
    assert isinstance(groups, int)
    return convolved(form, kernel, context.optional(bias), steps, spread, groups, context.limit)


def _batch_norm(node: fx.Node, context: Transfer) -> Form:
    found = scale_and_shift(node, context.constants)
    if found is None:
        raise NotAffineError("its statistics are computed from an input")
    return scaled(context.form(node.args[0]), *found)


def _batch_statistics(node: fx.Node, context: Transfer) -> Form:
    raise NotAffineError("a batch norm on batch statistics depends on the whole image")


def _add(node: fx.Node, context: Transfer) -> Form:
    left, right, alpha = ordered_arguments(node)
    sign = _literal(alpha) * (-1 if node.target in (_aten.sub.Tensor, _aten.sub.Scalar) else 1)
    if left in context.forms and right in context.forms:
        return added(context.form(left), context.form(right), sign, context.limit)
    if left in context.forms:
        return scaled(_unbroadcast(node, left, context), _ONE, sign * context.per_channel(right))
    return scaled(_unbroadcast(node, right, context), sign * _ONE, context.per_channel(left))


def _unbroadcast(node: fx.Node, value: object, context: Transfer) -> Form:
    """The form of ``value``, whose shape a constant must not have widened."""
    form = context.form(value)
    assert isinstance(value, fx.Node)
    shapes = zip(node.meta["val"].shape, value.meta["val"].shape, strict=False)
    if any(expression(result) != expression(own) for result, own in shapes):
        raise NotAffineError("it broadcasts the value to another shape")
    return form


def _reverse_subtract(node: fx.Node, context: Transfer) -> Form:
    subtracted, constant, alpha = ordered_arguments(node)
    form = _unbroadcast(node, subtracted, context)
    return scaled(form, -_literal(alpha) * _ONE, context.per_channel(constant))


def _literal(value: object) -> float:
    if not isinstance(value, (int, float)):
        raise NotAffineError("a factor of it depends on the image")
    return float(value)


def _multiply(node: fx.Node, context: Transfer) -> Form:
    left, right = ordered_arguments(node)
    if left in context.forms:
        scale, form = context.per_channel(right), _unbroadcast(node, left, context)
    else:
        scale, form = context.per_channel(left), _unbroadcast(node, right, context)
    return scaled(form, scale, torch.zeros_like(scale))


def _divide(node: fx.Node, context: Transfer) -> Form:
    divisor = context.per_channel(node.args[1])
    return scaled(_unbroadcast(node, node.args[0], context), 1.0 / divisor, torch.zeros_like(divisor))


def _negate(node: fx.Node, context: Transfer) -> Form:
    return scaled(context.form(node.args[0]), -_ONE, 0 * _ONE)


def _same(node: fx.Node, context: Transfer) -> Form:
    return context.form(node.args[0])


def _concatenate(node: fx.Node, context: Transfer) -> Form:
    parts, dimension = ordered_arguments(node)
    if dimension not in (1, -3):
        raise NotAffineError("it concatenates along another axis than the channels")
    assert isinstance(parts, (list, tuple))
    return concatenated([context.form(part) for part in parts], context.limit)


def _item(node: fx.Node, context: Transfer) -> Form:
    source, index = node.args
    assert isinstance(source, fx.Node)
    assert isinstance(index, int)
    form = context.form(source)
    if source.target not in SPLITS:
        if index:
            raise NotAffineError("it reads a statistic of a normalisation")
        return form
    sizes = [part.shape[1] for part in source.meta["val"]]
    return selected(form, sum(sizes[:index]), sum(sizes[: index + 1]), context.limit)


def _split(node: fx.Node, context: Transfer) -> Form:
    dimension = node.args[2] if len(node.args) > 2 else node.kwargs.get("dim", 0)
    if dimension not in (1, -3):
        raise NotAffineError("it splits along another axis than the channels")
    return context.form(node.args[0])


def _slice(node: fx.Node, context: Transfer) -> Form:
    x, dimension, start, end, step = ordered_arguments(node)
    form = context.form(x)
    assert isinstance(x, fx.Node)
    assert isinstance(dimension, int)
    assert isinstance(step, int)
    dimension %= 4
    size = x.meta["val"].shape[dimension]
    first, last = _from_start(start, size), _from_end(end, size)
    if (first, last, step) == (0, 0, 1):
        return form
    if first is None or last is None:
        raise NotAffineError("it cuts out a piece whose size does not grow with the image")
    if dimension == 0:
        raise NotAffineError("it takes a part of the batch")
    if dimension == 1:
        if step != 1:
            raise NotAffineError("it takes every n-th channel")
        return selected(form, min(first, form.channels), max(form.channels - last, 0), context.limit)
    crop = (-first, -last)
    form = padded(form, crop, (0, 0), 0.0) if dimension == 2 else padded(form, (0, 0), crop, 0.0)
    return form if step == 1 else subsampled(form, dimension - 2, step)


def _slice_scatter(node: fx.Node, context: Transfer) -> Form:
    target, source, dimension, start, end, step = ordered_arguments(node)
    if covers_everything(node):
        return context.form(source)
    assert isinstance(target, fx.Node)
    assert isinstance(dimension, int)
    values, form = context.per_channel(source), context.form(target)
    dimension %= 4
    size = target.meta["val"].shape[dimension]
    if dimension < 2 or step != 1:
        raise NotAffineError("it overwrites a part of the batch or of the channels")
    if _from_start(start, size) == 0 and isinstance(end, int) and end > 0:
        return painted(form, dimension - 2, False, end, values)
    width = _from_end(start, size)
    if _from_end(end, size) == 0 and width is not None and width > 0:
        return painted(form, dimension - 2, True, width, values)
    raise NotAffineError("it overwrites pixels that are no border")


def _from_start(bound: object, size: object) -> int | None:
    """How many pixels lie before ``bound``; None where that depends on the size."""
    if bound is None:
        return 0
    if isinstance(bound, int) and bound >= 0:
        return bound
    distance = _from_end(bound, size)
    return size - distance if isinstance(size, int) and distance is not None else None


def _from_end(bound: object, size: object) -> int | None:
    """How many pixels lie after ``bound``; None where that depends on the size."""
    if bound is None or bound == END:
        return 0
    if isinstance(bound, int) and bound < 0:
        return -bound
    difference = expression(size) - expression(bound.meta["val"] if isinstance(bound, fx.Node) else bound)
    return int(difference) if difference.is_Integer and difference >= 0 else None


def _pad(node: fx.Node, context: Transfer) -> Form:
    if node.target is _aten.constant_pad_nd.default:
        x, amounts, value = ordered_arguments(node)
        mode = "constant"
    else:
        x, amounts, mode, value = ordered_arguments(node)
    if mode != "constant":
        raise NotAffineError(
            f"{mode} padding repeats pixels of the image, which no zero-padded convolution does"
        )
    assert isinstance(amounts, (list, tuple))
    if not all(isinstance(amount, int) for amount in amounts):
        raise NotAffineError("its padding depends on the image")
    left, right, top, bottom, *others = list(amounts) + [0] * (4 - len(amounts))
    if any(others):
        raise NotAffineError("it pads channels")
    return padded(context.form(x), (top, bottom), (left, right), _literal(value or 0.0))


def _repeating_pad(node: fx.Node, context: Transfer) -> Form:
    kind = str(node.target).split(".")[1].removesuffix("_pad2d")
    raise NotAffineError(f"{kind} padding repeats pixels of the image, which no zero-padded convolution does")


def _average_pool(node: fx.Node, context: Transfer) -> Form:
    x, kernel, stride, padding, ceil_mode, count_include_pad, divisor = ordered_arguments(node)
    window, amounts = _pair(kernel), _pair(padding)
    if ceil_mode or (any(amounts) and not count_include_pad):
        raise NotAffineError("its average counts fewer pixels at the border")
    assert isinstance(x, fx.Node)
    extent = x.meta["val"].shape[2:]
    if any(isinstance(size, int) and taps >= size for size, taps in zip(extent, window, strict=True)):
        raise NotAffineError("it averages over the whole map, a global statistic")
    form = padded(context.form(x), (amounts[0],) * 2, (amounts[1],) * 2, 0.0)
    count = window[0] * window[1] if divisor is None else int(_literal(divisor))
    weight = torch.full((form.channels, 1, *window), 1.0 / count, dtype=torch.float64)
    steps = _pair(stride) if stride else window
    pooled = convolved(form, weight, None, steps, (1, 1), form.channels, context.limit)
    return replace(pooled, convolves=form.convolves)


RULES: dict[object, Rule] = {
    _aten.conv2d.default: _convolution,
    _aten.conv2d.padding: _convolution,
    _aten._native_batch_norm_legit_no_training.default: _batch_norm,
    _aten._native_batch_norm_legit.no_stats: _batch_statistics,
    _aten.add.Tensor: _add,
    _aten.add.Scalar: _add,
    _aten.sub.Tensor: _add,
    _aten.sub.Scalar: _add,
    _aten.rsub.Scalar: _reverse_subtract,
    _aten.rsub.Tensor: _reverse_subtract,
    _aten.mul.Tensor: _multiply,
    _aten.mul.Scalar: _multiply,
    _aten.div.Tensor: _divide,
    _aten.div.Scalar: _divide,
    _aten.neg.default: _negate,
    _aten.clone.default: _same,
    _aten.alias.default: _same,
    _aten.detach.default: _same,
    _aten.cat.default: _concatenate,
    _aten.split.Tensor: _split,
    _aten.split_with_sizes.default: _split,
    _aten.chunk.default: _split,
    operator.getitem: _item,
    _aten.slice.Tensor: _slice,
    _aten.slice_scatter.default: _slice_scatter,
    _aten.pad.default: _pad,
    _aten.constant_pad_nd.default: _pad,
    _aten.reflection_pad2d.default: _repeating_pad,
    _aten.replication_pad2d.default: _repeating_pad,
    _aten.avg_pool2d.default: _average_pool,
}
