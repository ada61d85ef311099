"""The vocabulary of formulas (:mod:`passes.words.words`) in ATen.

It runs on tensors and sizes as it does on the proxies that stand for them in a graph. A size is never compared with a
number, so one graph serves all sizes. Of types, only that of an argument of the operator is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from passes.words.words import COLUMNS, ROWS

aten = torch.ops.aten

_CPU = torch.device("cpu")

copy: Callable[[Tensor], Tensor] = aten.clone.default
ones_like: Callable[[Tensor], Tensor] = aten.ones_like.default
add: Callable[[Tensor, Any], Tensor] = aten.add.Tensor
subtract: Callable[[Tensor, Any], Tensor] = aten.sub.Tensor
multiply: Callable[[Tensor, Any], Tensor] = aten.mul.Tensor
divide: Callable[[Tensor, Any], Tensor] = aten.div.Tensor
over = divide
maximum: Callable[[Tensor, Tensor], Tensor] = aten.maximum.default
minimum: Callable[[Tensor, Tensor], Tensor] = aten.minimum.default
exp: Callable[[Tensor], Tensor] = aten.exp.default
log: Callable[[Tensor], Tensor] = aten.log.default
root: Callable[[Tensor], Tensor] = aten.sqrt.default
inverse_root: Callable[[Tensor], Tensor] = aten.rsqrt.default
at_least: Callable[[Tensor, float], Tensor] = aten.clamp.default
bounded: Callable[[Tensor, float, float], Tensor] = aten.clamp.default
gather: Callable[[Tensor, int, Tensor], Tensor] = aten.index_select.default
product: Callable[[Tensor, Tensor], Tensor] = aten.matmul.default
transposed: Callable[[Tensor], Tensor] = aten.t.default


def size(x: Tensor, axis: int) -> int:
    return aten.sym_size.int(x, axis)


def channels(x: Tensor) -> int:
    return x.shape[1]


def extent(argument: int) -> int:
    return argument


def number(value: int) -> int:
    return value


def covered(x: Tensor, axis: int, window: int) -> int:
    return smaller(size(x, axis), window)


def smaller(a: int, b: int) -> int:
    return torch.sym_min(a, b)  # type: ignore[return-value]


def larger(a: int, b: int) -> int:
    return torch.sym_max(a, b)  # type: ignore[return-value]


def more(a: int, b: int) -> int:
    return a + b


def less(a: int, b: int) -> int:
    return a - b


def times(a: int, b: int) -> int:
    return a * b


def parts(a: int, b: int) -> int:
    return a // b


def not_negative(x: Tensor) -> Tensor:
    return aten.clamp.default(x, 0)


def double(x: Tensor) -> Tensor:
    return to(x, torch.float64)


def like(value: Tensor, x: Tensor) -> Tensor:
    return to(value, x.dtype)


weights = like


def to(x: Tensor, dtype: torch.dtype) -> Tensor:
    return aten._to_copy.default(x, dtype=dtype)


def decimal(value: float, double: bool = False) -> float:
    return value


def divisor(count: int, double: bool = False) -> int:
    return count


def between(x: Tensor, axis: int, start: int, end: int) -> Tensor:
    return aten.slice.Tensor(x, axis, start, end)


def upper_left(x: Tensor, rows: int, columns: int) -> Tensor:
    return between(between(x, ROWS, 0, rows), COLUMNS, 0, columns)


def joined(a: Tensor, b: Tensor, axis: int) -> Tensor:
    return aten.cat.default([a, b], axis)


def padding(missing: int) -> int:
    return missing


def padded(x: Tensor, axis: int, padding: int, value: float) -> Tensor:
    amounts = [0, padding] if axis == COLUMNS else [0, 0, 0, padding]
    return aten.constant_pad_nd.default(x, amounts, value)


def along(axis: int, formula: Callable[[Tensor, int], Tensor], x: Tensor) -> Tensor:
    return formula(x, axis)


def total(x: Tensor, axis: int, double: bool = False) -> Tensor:
    return aten.sum.dim_IntList(x, [axis], True)


def running_sum(first: Tensor, steps: Tensor, axis: int) -> Tensor:
    return aten.cumsum.default(aten.cat.default([first, steps], axis), axis)


def replicate(interior: Tensor, height: int, width: int, like: Tensor | None = None) -> Tensor:
    measured = interior if like is None else like
    missing_rows, missing_columns = height - size(measured, ROWS), width - size(measured, COLUMNS)
    top, left = missing_rows // 2, missing_columns // 2
    return aten.replication_pad2d.default(interior, [left, missing_columns - left, top, missing_rows - top])


def by_group(x: Tensor, groups: int) -> Tensor:
    return aten.unflatten.int(x, 1, [groups, x.shape[1] // groups])


def ungrouped(grouped: Tensor, x: Tensor) -> Tensor:
    return aten.flatten.using_ints(grouped, 1, 2)


def of_each_channel(x: Tensor) -> Tensor:
    return aten.unsqueeze.default(x, 2)


def sum_over(x: Tensor, axis: int) -> Tensor:
    return aten.sum.dim_IntList(x, [axis])


def sum_of_squares(x: Tensor, axis: int) -> Tensor:
    return sum_over(multiply(x, x), axis)


def mean_over(x: Tensor, *axes: int) -> Tensor:
    return aten.mean.dim(x, list(axes), True)


def numbers(count: int) -> Tensor:
    """The device is spelled out: ``torch.export.passes.move_to_device_pass`` replaces what it finds spelled out."""
    return aten.arange.default(count, device=_CPU)


def multiples(step: int, last: int) -> Tensor:
    count = (last + (step - 1)) // step + 1
    return clamped(multiply(numbers(count), step), 0, last)


def clamped(index: Tensor, least: int | None, most: int) -> Tensor:
    return aten.clamp.default(index, least, most)


def floor_divide(index: Tensor, by: int) -> Tensor:
    return aten.div.Tensor_mode(index, by, rounding_mode="floor")


def upright(index: Tensor) -> Tensor:
    return aten.unsqueeze.default(index, 1)


def quotient(a: Tensor, b: Tensor) -> Tensor:
    return divide(double(a), double(b))


def pooled(x: Tensor, axis: int, length: int, step: int) -> Tensor:
    """Zeros are added by hand: a pool may not be padded by more than half its length."""
    extended = padded(x, axis, length - 1, 0.0) if length > 1 else x
    kernel, stride = ([length, 1], [step, 1]) if axis == ROWS else ([1, length], [1, step])
    return aten.avg_pool2d.default(extended, kernel, stride)


def in_blocks(x: Tensor, axis: int, length: int) -> Tensor:
    return aten.unflatten.int(x, axis, [size(x, axis) // length, length])


def as_one_block(x: Tensor, axis: int) -> Tensor:
    return aten.unsqueeze.default(x, axis)


def flat(blocks: Tensor, axis: int, length: int) -> Tensor:
    return aten.flatten.using_ints(blocks, axis, axis + 1)


def of_each_in_block(x: Tensor, axis: int) -> Tensor:
    return aten.unsqueeze.default(x, axis + 1)


def mean_within(blocks: Tensor, axis: int) -> Tensor:
    return aten.mean.dim(blocks, [axis + 1])


def gather_blocks(x: Tensor, axis: int, index: Tensor) -> Tensor:
    return in_blocks(gather(x, axis, aten.flatten.using_ints(index)), axis, index.shape[1])


def weighed(blocks: Tensor, matrix: Tensor, axis: int) -> Tensor:
    return product(matrix, blocks) if axis == ROWS else product(blocks, transposed(matrix))


def expanded(x: Tensor, like: Tensor) -> Tensor:
    return aten.expand_as.default(x, like)


def grid_sums(maps: Sequence[Tensor], rows: Any, columns: Any, double: bool) -> list[Tensor]:
    """Float64 running sums, looked up at both ends of every window."""
    if double:
        return [_sums_at(_sums_at(x, ROWS, rows), COLUMNS, columns) for x in maps]
    doubles = [to(x, torch.float64) for x in maps]
    return [like(sums, x) for x, sums in zip(maps, grid_sums(doubles, rows, columns, True), strict=True)]


def grid_power_sums_by_group(x: Tensor, groups: int, rows: Any, columns: Any) -> list[Tensor]:
    pixels = double(by_group(x, groups))
    return grid_sums([sum_over(pixels, 2), sum_of_squares(pixels, 2)], rows, columns, True)


def _sums_at(x: Tensor, axis: int, nodes: Any) -> Tensor:
    """Sums over the windows at the nodes of ``axis``, with a running sum P: P[e] - P[s] + x[s]."""
    running = aten.cumsum.default(x, axis)
    ends = add(nodes.starts, nodes.k - 1)
    after, before, first = (
        gather(source, axis, index)
        for source, index in ((running, ends), (running, nodes.starts), (x, nodes.starts))
    )
    return add(subtract(after, before), first)
