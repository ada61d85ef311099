"""How many multiply-adds a network takes, counted from shapes alone.

One multiplication with the addition that follows it counts once, which is half of what
:class:`torch.utils.flop_counter.FlopCounterMode` counts:

    convolution           output elements * kernel elements * input channels / groups
    its transpose         input elements * kernel elements * output channels / groups
    matrix product        output elements * length of the sums
    attention             queries * keys * (channels of a key + channels of a value)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from passes.statistics import OPERATORS
from passes.torch_internals.names import OpOverload, TorchDispatchMode, operation_name, pytree, schema_of

Shape = tuple[int, ...]


def multiply_adds(target: Any, args: Sequence[Any], output: Shape) -> int:
    """Of one call of an operator; 0 for those that multiply no sums.

    Args:
        target: an overload of ``aten`` or ``tlc``.
        args: its positional arguments, a :class:`torch.Size` in the place of every tensor.
        output: the shape of what it returns.
    """
    if not isinstance(target, OpOverload):
        return 0
    if target in _OF_STATISTICS:
        return _OF_STATISTICS[target](args)
    rule = _RULES.get(operation_name(target))
    return rule(args, output) if rule else 0


def _convolution(args: Sequence[Any], output: Shape) -> int:
    transposed = len(args) > 6 and args[6] is True
    return _transposed(args, output) if transposed else math.prod(output) * math.prod(args[1][1:])


def _plain(args: Sequence[Any], output: Shape) -> int:
    return math.prod(output) * math.prod(args[1][1:])


def _transposed(args: Sequence[Any], output: Shape) -> int:
    return math.prod(args[0]) * math.prod(args[1][1:])


def _product(args: Sequence[Any], output: Shape) -> int:
    return math.prod(output) * args[0][-1]


def _product_and_sum(args: Sequence[Any], output: Shape) -> int:
    return math.prod(output) * args[1][-1]


def _einsum(args: Sequence[Any], output: Shape) -> int:
    """Every combination of the subscripts once; an ellipsis stands for its own axes."""
    subscripts = args[0].replace(" ", "").split("->")[0].split(",")
    extents: dict[str, int] = {}
    for names, shape in zip(subscripts, args[1], strict=True):
        before, ellipsis, after = names.partition("...")
        spare = len(shape) - len(before) - len(after) if ellipsis else 0
        axes = [*before, *(f".{axis}" for axis in range(-spare, 0)), *after]
        for name, extent in zip(axes, shape, strict=True):
            extents[name] = max(extent, extents.get(name, 1))
    return math.prod(extents.values()) if len(subscripts) > 1 else 0


def _attention(args: Sequence[Any], output: Shape) -> int:
    query, key, value = args[:3]
    return math.prod(query[:-1]) * key[-2] * (key[-1] + value[-1])


_RULES: dict[str, Callable[[Sequence[Any], Shape], int]] = {
    "convolution": _convolution,
    "conv1d": _plain,
    "conv2d": _plain,
    "conv3d": _plain,
    "conv_transpose1d": _transposed,
    "conv_transpose2d": _transposed,
    "conv_transpose3d": _transposed,
    "linear": _product,
    "matmul": _product,
    "mm": _product,
    "bmm": _product,
    "addmm": _product_and_sum,
    "baddbmm": _product_and_sum,
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_efficient_attention": _attention,
    "_scaled_dot_product_flash_attention": _attention,
}

_OF_STATISTICS = {
    operator.overload: operator.multiply_adds for operator in OPERATORS if operator.multiply_adds is not None
}


class OperatorCounter(TorchDispatchMode):
    """While active, notes every operator that runs, on real tensors, fake or meta ones.

    Attributes:
        multiply_adds: the sum so far.
        elements: how many elements were written so far, views left out.
        maps: shape of every result with four axes, in the order they were computed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.multiply_adds = 0
        self.elements = 0
        self.maps: list[Shape] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        outputs = [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, Tensor)]
        if not outputs:
            return result
        shapes = [_shape_of(argument) for argument in args]
        self.multiply_adds += multiply_adds(func, shapes, tuple(outputs[0].shape))
        if not is_view(func):
            self.elements += sum(output.numel() for output in outputs)
        self.maps += [tuple(output.shape) for output in outputs if output.dim() == 4]
        return result


def is_view(target: Any) -> bool:
    """Whether an operator returns its argument's memory."""
    return isinstance(target, OpOverload) and any(
        returned.alias_info is not None for returned in schema_of(target).returns
    )


def _shape_of(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return argument.shape
    if isinstance(argument, (list, tuple)) and not isinstance(argument, torch.Size):
        return [_shape_of(part) for part in argument]
    return argument
