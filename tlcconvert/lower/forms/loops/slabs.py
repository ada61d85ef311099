"""Statistics of a map taken a few planes at a time, so that what is computed on the way stays in the cache.

    x [N, C, H, W] --> [N*C/g, g, 1, H, W] --Scan: operator on [g, 1, H, W]--> [N*C/g, g, 1, h, w] --> [N, C, h, w]

A sum over windows is ten operators that each read and write a whole map; only x and the result need
the memory. Each plane's statistics are its own, so any g that divides C gives the same numbers: the
largest with which a slab holds no more than ``_SLAB`` pixels, known when the file runs. The reshapes copy nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from onnxscript import ir

from tlcconvert.lower.forms.loops.subgraph import scan
from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.shared import shared, size_name
from tlcconvert.lower.forms.split_map import channels
from tlcconvert.lower.forms.words import Onnx, takes_arguments_of

_SLAB = 2**18
"""Pixels of a slab: 1 MiB in float32."""
_GROUPS = 2
"""The place of the number of groups behind the maps: after the height and the width of the window."""
_ONE_CHANNEL = ir.Shape((None, 1, None, None))


def in_slabs(formula: Callable[..., Any]) -> Callable[..., Any]:
    """The form in slabs of a ``formula(words, maps..., options...)`` that takes each plane of [N, C, H, W] by itself.

    A norm, which takes ``groups`` of channels, does so where each group is one channel.
    """
    is_norm = "groups" in inspect.signature(formula).parameters

    @takes_arguments_of(formula)
    def lowered(*arguments: Any, **options: Any) -> Any:
        maps = [argument for argument in arguments if isinstance(argument, ir.Value)]
        others = list(arguments[len(maps) :])
        if is_norm:
            if others[_GROUPS] != channels(maps[0]):
                return formula(Onnx(), *arguments, **options)
            others[_GROUPS] = 1
        return by_slabs(maps, lambda *slabs: formula(Onnx(has_few_planes=True), *slabs, *others, **options))

    return lowered


def by_slabs(maps: Sequence[ir.Value], operator: Callable[..., Any]) -> Any:
    """``operator(*maps)`` [N, C, h, w], slab by slab; the first map is the largest."""
    x = maps[0]
    size = op.Shape(x, start=2, end=4)
    key: Hashable = ("slab", channels(x), size_name(x, 2), size_name(x, 3))
    planes = shared(x, key, lambda: _planes(channels(x), size))
    shapes = (
        op.Concat(integers(-1), planes, integers(1), op.Shape(each, start=2, end=4), axis=0) for each in maps
    )
    slabs = [op.Reshape(each, shape) for each, shape in zip(maps, shapes, strict=True)]
    one_channel = ir.TypeAndShape(ir.TensorType(x.dtype or ir.DataType.FLOAT), _ONE_CHANNEL)
    (results,) = scan(lambda *parts: [operator(*parts)], slabs, one_channel)
    return op.Reshape(results, op.Concat(op.Shape(x, start=0, end=2), op.Shape(results, start=3), axis=0))


def _planes(count: int, size: ir.Value) -> ir.Value:
    """int64 [1], the largest divisor of ``count`` for which so many planes of ``size`` pixels fit; at least 1."""
    divisors = integers(*(number for number in range(1, count + 1) if count % number == 0))
    pixels = op.Mul(divisors, op.ReduceProd(size, keepdims=1))
    fits = op.LessOrEqual(pixels, integers(_SLAB))
    return op.ReduceMax(op.Where(fits, divisors, integers(1)), integers(0), keepdims=1)
