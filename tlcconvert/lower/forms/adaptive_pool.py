"""PyTorch's adaptive pools in standard ONNX operators: bins that follow the size of the map.

Bin i of k along an axis of n pixels holds the pixels

    floor(i * n / k)  ...  ceil((i + 1) * n / k) - 1

so bins differ in length by one and may overlap. Whatever n and k are, the bins are worked out in the file:

    | pool | form |
    |---|---|
    | mean, k a number | two products with matrices that hold 1 / length where a pixel is in a bin |
    | mean, k a size | rows of the bins gathered, those past a bin's end with weight 0 |
    | maximum | rows of the bins gathered, those past a bin's end repeating its last |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from onnxscript import ir

from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.taps import Taps, resampled
from tlcconvert.lower.forms.whole_numbers import ceil_divide, covered, numbers

aten = torch.ops.aten

_FLOAT = ir.DataType.FLOAT
_MOST_BINS_IN_A_MATRIX = 64
"""Beyond, the product costs more than gathering the bins."""


@dataclass(frozen=True)
class Bins:
    """The bins of one axis.

    Attributes:
        extent: of the axis, int64 [1].
        count: of the bins, int64 [1].
        starts: first pixel of each bin, int64 [count].
        lengths: pixels of each bin, int64 [count].
    """

    extent: ir.Value
    count: ir.Value
    starts: ir.Value
    lengths: ir.Value


def bins_of(x: Any, axis: int, count: Any) -> Bins:
    """``count`` bins, a number or a size, along ``axis`` of x."""
    extent, count = op.Shape(x, start=axis, end=axis + 1), op.Reshape(count, integers(1))
    index = numbers(count)
    starts = op.Div(op.Mul(index, extent), count)
    ends = ceil_divide(op.Mul(op.Add(index, integers(1)), extent), count)
    return Bins(extent, count, starts, op.Sub(ends, starts))


def mean_pool(x: Any, counts: Sequence[Any]) -> Any:
    """x with its last axes averaged over bins, ``counts`` of them along each; float32."""
    last = len(x.shape) - 1
    for behind, count in enumerate(reversed(counts)):
        bins = bins_of(x, last - behind, count)
        if isinstance(count, int) and count <= _MOST_BINS_IN_A_MATRIX:
            x = _product(x, behind == 0, bins)
        else:
            x = resampled(x, last - behind, behind, _averages(bins))
    return x


def maximum_pool(x: Any, counts: Sequence[Any]) -> Any:
    """x with the maximum over bins along its last axes, ``counts`` of them along each."""
    last = len(x.shape) - 1
    for behind, count in enumerate(reversed(counts)):
        axis = last - behind
        pixels, _ = _members(bins_of(x, axis, count))
        x = op.ReduceMax(op.Gather(x, pixels, axis=axis), integers(axis + 1), keepdims=0)
    return x


def _product(x: Any, is_last_axis: bool, bins: Bins) -> Any:
    position = op.Unsqueeze(numbers(bins.extent), integers(0))
    starts, lengths = (_column(values) for values in (bins.starts, bins.lengths))
    averages = op.Div(covered(position, starts, lengths), op.Cast(lengths, to=_FLOAT))
    if is_last_axis:
        return op.MatMul(x, op.Transpose(averages, perm=[1, 0]))
    return op.MatMul(averages, x)


def _averages(bins: Bins) -> Taps:
    pixels, is_inside = _members(bins)
    weights = op.Div(op.Cast(is_inside, to=_FLOAT), op.Cast(_column(bins.lengths), to=_FLOAT))
    return Taps(pixels, weights)


def _members(bins: Bins) -> tuple[Any, Any]:
    """The pixels of each bin, int64 [count, longest], its last one repeated; and which are no repeats."""
    longest = op.ReduceMax(bins.lengths, integers(0), keepdims=1)
    step = op.Unsqueeze(numbers(longest), integers(0))
    lengths = _column(bins.lengths)
    last = op.Sub(lengths, integers(1))
    return op.Add(_column(bins.starts), op.Min(step, last)), op.Less(step, lengths)


def _column(values: Any) -> Any:
    return op.Unsqueeze(values, integers(1))


def _list(counts: Any) -> Sequence[Any]:
    return counts if isinstance(counts, Sequence) else (counts,)


def _mean(x: Any, output_size: Any) -> Any:
    counts = _list(output_size)
    if all(isinstance(count, int) and count == 1 for count in counts):
        return op.ReduceMean(x, integers(*range(-len(counts), 0)), keepdims=1)
    return mean_pool(x, counts)


def _maximum(x: Any, output_size: Any) -> tuple[Any, Any]:
    """With no positions: a program that reads them is not lowered at all."""
    counts = _list(output_size)
    no_positions = op.Constant(value_ints=[0])
    if all(isinstance(count, int) and count == 1 for count in counts):
        return op.ReduceMax(x, integers(*range(-len(counts), 0)), keepdims=1), no_positions
    return maximum_pool(x, counts), no_positions


ADAPTIVE_POOLS: dict[Callable[..., Any], Callable[..., Any]] = {
    aten.adaptive_avg_pool1d.default: _mean,
    aten.adaptive_avg_pool2d.default: _mean,
    aten._adaptive_avg_pool2d.default: _mean,
    aten.adaptive_max_pool1d.default: _maximum,
    aten.adaptive_max_pool2d.default: _maximum,
}
"""The ONNX form of each of PyTorch's adaptive pools of maps."""
