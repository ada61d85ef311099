"""The vocabulary of formulas (:mod:`passes.words.words`) in standard ONNX operators.

Sizes are int64 [1]. What makes a formula fast in ONNX Runtime is here: sums over columns are sums over the rows of
the transposed map, since CumSum is vectorised along axis -2 and a scalar loop, ten times slower, along the last axis;
selections of columns likewise, since Gather copies single elements there. Pads name all axes: onnxruntime's
symbolic shape inference and its WebGPU kernel take the axes of a shorter list for the first ones. Maps are float32.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from onnxscript import ir

from passes.words.grid import Nodes
from passes.words.words import COLUMNS, ROWS, Index, Map, Size
from tlcconvert.lower.forms import whole_numbers
from tlcconvert.lower.forms.grid_sum import sum_columns, sum_rows_in_double, sum_rows_in_float
from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.split_map import channels

_DOUBLE = ir.DataType.DOUBLE


@dataclass(frozen=True)
class Onnx:
    """Formulas that are called with this write a graph.

    Attributes:
        has_few_planes: sums over rows are products with ones. In ONNX Runtime ReduceSum takes eight times as long as
            the product where N = C = 1; in OpenVINO the product takes longer.
    """

    has_few_planes: bool = False

    def size(self, x: Map, axis: int) -> Size:
        return op.Shape(x, start=axis) if axis == -1 else op.Shape(x, start=axis, end=axis + 1)

    def channels(self, x: Map) -> int:
        return channels(cast(ir.Value, x))

    def extent(self, argument: Any) -> Size:
        return op.Reshape(argument, integers(1))

    def number(self, value: int) -> Size:
        return integers(value)

    def covered(self, x: Map, axis: int, window: int) -> Size:
        return self.smaller(self.size(x, axis), window)

    def smaller(self, a: Size, b: Size) -> Size:
        return op.Min(_whole(a), _whole(b))

    def larger(self, a: Size, b: Size) -> Size:
        return op.Max(_whole(a), _whole(b))

    def more(self, a: Size, b: Size) -> Size:
        return self.add(a, b)

    def less(self, a: Size, b: Size) -> Size:
        return self.subtract(a, b)

    def times(self, a: Size, b: Size) -> Size:
        return a if isinstance(b, int) and b == 1 else self.multiply(a, b)

    def parts(self, a: Size, b: int) -> Size:
        return self.floor_divide(a, b)

    def copy(self, x: Map) -> Map:
        return op.Identity(x)

    def ones_like(self, x: Map) -> Map:
        return op.ConstantOfShape(op.Shape(x), value=ir.tensor(np.ones(1, np.float32)))

    def add(self, a: Map, b: Map) -> Map:
        return op.Add(_whole(a), _whole(b))

    def subtract(self, a: Map, b: Map) -> Map:
        return op.Sub(_whole(a), _whole(b))

    def multiply(self, a: Map, b: Map) -> Map:
        return op.Mul(_whole(a), _whole(b))

    def divide(self, a: Map, b: Map) -> Map:
        return op.Div(a, b)

    def maximum(self, a: Map, b: Map) -> Map:
        return op.Max(a, b)

    def minimum(self, a: Map, b: Map) -> Map:
        return op.Min(a, b)

    def exp(self, x: Map) -> Map:
        return op.Exp(x)

    def log(self, x: Map) -> Map:
        return op.Log(x)

    def root(self, x: Map) -> Map:
        return op.Sqrt(x)

    def inverse_root(self, x: Map) -> Map:
        return op.Reciprocal(op.Sqrt(x))

    def not_negative(self, x: Map) -> Map:
        return op.Relu(x)

    def double(self, x: Map) -> Map:
        return op.Cast(x, to=_DOUBLE)

    def like(self, value: Map, x: Map) -> Map:
        return op.Cast(value, to=ir.DataType.FLOAT)

    def decimal(self, value: float, double: bool = False) -> Any:
        return op.Constant(value=ir.tensor(value, dtype=_DOUBLE if double else ir.DataType.FLOAT))

    def at_least(self, x: Map, least: Any) -> Map:
        return op.Max(x, least)

    def bounded(self, x: Map, least: float, most: float) -> Map:
        return op.Clip(x, op.Constant(value_float=least), op.Constant(value_float=most))

    def divisor(self, count: Size, double: bool = False) -> Any:
        return op.Reciprocal(op.Cast(count, to=_DOUBLE if double else ir.DataType.FLOAT))

    def over(self, sums: Map, divisor: Any) -> Map:
        return op.Mul(sums, divisor)

    def between(self, x: Map, axis: int, start: Size, end: Size) -> Map:
        return op.Slice(x, _whole(start), _whole(end), integers(axis))

    def upper_left(self, x: Map, rows: Size, columns: Size) -> Map:
        return op.Slice(x, integers(0, 0), op.Concat(rows, columns, axis=0), integers(ROWS, COLUMNS))

    def joined(self, a: Map, b: Map, axis: int) -> Map:
        return op.Concat(a, b, axis=axis)

    def padding(self, missing: Size) -> Any:
        return missing

    def padded(self, x: Map, axis: int, padding: Any, value: float) -> Map:
        end = [padding, integers(0)] if axis == ROWS else [integers(0), padding]
        pads = op.Concat(integers(0, 0, 0, 0, 0, 0), *end, axis=0)
        return op.Pad(x, pads, op.Constant(value_float=value), mode="constant")

    def gather(self, x: Map, axis: int, index: Index) -> Map:
        return op.Gather(x, index, axis=axis)

    def along(self, axis: int, formula: Callable[[Map, int], Map], x: Map) -> Map:
        if axis == ROWS:
            return formula(x, ROWS)
        return _turned(formula(_turned(x), ROWS))

    def total(self, x: Map, axis: int, double: bool = False) -> Map:
        if not self.has_few_planes:
            return op.ReduceSum(x, integers(axis), keepdims=1)
        assert axis == ROWS
        shape = op.Concat(integers(1), self.size(x, axis), axis=0)
        one = ir.tensor(1.0, dtype=_DOUBLE if double else ir.DataType.FLOAT)
        return op.MatMul(op.Expand(op.Constant(value=one), shape), x)

    def running_sum(self, first: Map, steps: Map, axis: int) -> Map:
        return op.CumSum(op.Concat(first, steps, axis=axis), op.Constant(value_int=axis))

    def replicate(self, interior: Map, height: Size, width: Size, like: Map | None = None) -> Map:
        size = op.Concat(self.extent(height), self.extent(width), axis=0)
        missing = op.Sub(size, op.Shape(interior if like is None else like, start=-2))
        before = op.Div(missing, integers(2))
        pads = op.Concat(integers(0, 0), before, integers(0, 0), op.Sub(missing, before), axis=0)
        return op.Pad(interior, pads, None, mode="edge")

    def by_group(self, x: Map, groups: int) -> Map:
        return op.Reshape(x, op.Concat(integers(0, groups, -1), op.Shape(x, start=2, end=4), axis=0))

    def ungrouped(self, grouped: Map, x: Map) -> Map:
        return op.Reshape(grouped, op.Shape(x))

    def of_each_channel(self, x: Map) -> Map:
        return op.Unsqueeze(x, integers(2))

    def sum_over(self, x: Map, axis: int) -> Map:
        return op.ReduceSum(x, integers(axis), keepdims=0)

    def sum_of_squares(self, x: Map, axis: int) -> Map:
        return op.ReduceSumSquare(x, integers(axis), keepdims=0)

    def mean_over(self, x: Map, *axes: int) -> Map:
        return op.ReduceMean(x, integers(*axes), keepdims=1)

    def numbers(self, count: Size) -> Index:
        return whole_numbers.numbers(count)

    def multiples(self, step: int, last: Size) -> Index:
        regular = op.Range(op.Constant(value_int=0), op.Squeeze(last), op.Constant(value_int=step))
        return op.Concat(regular, last, axis=0)

    def clamped(self, index: Index, least: Size, most: Size) -> Index:
        below = op.Min(index, _whole(most))
        return below if least is None else op.Max(below, _whole(least))

    def floor_divide(self, index: Index, by: Size) -> Index:
        return op.Div(index, _whole(by))

    def upright(self, index: Index) -> Index:
        return op.Unsqueeze(index, integers(1))

    def quotient(self, a: Index, b: Index) -> Any:
        return op.Div(op.Cast(a, to=ir.DataType.FLOAT), op.Cast(b, to=ir.DataType.FLOAT))

    def weights(self, quotients: Any, x: Map) -> Any:
        return quotients

    def product(self, a: Any, b: Any) -> Any:
        return op.MatMul(a, b)

    def transposed(self, matrix: Any) -> Any:
        return op.Transpose(matrix, perm=[1, 0])

    def pooled(self, x: Map, axis: int, length: int, step: int) -> Map:
        kernel, strides = ([length, 1], [step, 1]) if axis == ROWS else ([1, length], [1, step])
        end = [0, 0, length - 1, 0] if axis == ROWS else [0, 0, 0, length - 1]
        return op.AveragePool(x, kernel_shape=kernel, strides=strides, pads=end, count_include_pad=1)

    def in_blocks(self, x: Map, axis: int, length: int) -> Map:
        if axis == COLUMNS:
            return op.Reshape(x, integers(0, 0, 0, -1, length))
        return op.Reshape(x, op.Concat(integers(0, 0, -1, length), self.size(x, COLUMNS), axis=0))

    def as_one_block(self, x: Map, axis: int) -> Map:
        return op.Unsqueeze(x, integers(axis))

    def flat(self, blocks: Map, axis: int, length: Size) -> Map:
        if axis == COLUMNS:
            return op.Reshape(blocks, op.Concat(integers(0, 0, 0), length, axis=0))
        return op.Reshape(blocks, op.Concat(integers(0, 0), length, self.size(blocks, -1), axis=0))

    def of_each_in_block(self, x: Map, axis: int) -> Map:
        return op.Unsqueeze(x, integers(axis + 1))

    def mean_within(self, blocks: Map, axis: int) -> Map:
        return op.ReduceMean(blocks, integers(axis + 1), keepdims=0)

    def gather_blocks(self, x: Map, axis: int, index: Index) -> Map:
        return op.Gather(x, index, axis=axis)

    def weighed(self, blocks: Map, matrix: Any, axis: int) -> Map:
        return op.MatMul(matrix, blocks) if axis == ROWS else op.MatMul(blocks, self.transposed(matrix))

    def expanded(self, x: Map, like: Map) -> Map:
        return op.Expand(x, op.Shape(like))

    def grid_sums(self, maps: Sequence[Map], rows: Nodes, columns: Nodes, double: bool) -> list[Map]:
        sum_rows = sum_rows_in_double if double else sum_rows_in_float
        return sum_columns(self, [sum_rows(self, x, rows) for x in maps], columns, double)

    def grid_power_sums_by_group(self, x: Map, groups: int, rows: Nodes, columns: Nodes) -> list[Map]:
        """Channels are added on the grid: over whole maps, a sum in float64 takes longer than their running sums."""
        pixels = self.double(x)
        of_channels = self.grid_sums([pixels, self.multiply(pixels, pixels)], rows, columns, double=True)
        return [self.sum_over(self.by_group(sums, groups), 2) for sums in of_channels]


def takes_arguments_of(formula: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a function the signature of ``formula`` without the vocabulary: the exporter reads it."""
    signature = inspect.signature(formula)
    _, *parameters = signature.parameters.values()

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        named = functools.wraps(formula)(function)
        named.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return named

    return decorate


def in_onnx(formula: Callable[..., Any]) -> Callable[..., Any]:
    """``formula`` as a function of the operator's arguments alone."""
    return takes_arguments_of(formula)(functools.partial(formula, Onnx()))


def _whole(value: Any) -> Any:
    return integers(value) if isinstance(value, int) else value


def _turned(x: Map) -> Map:
    return op.Transpose(x, perm=[0, 1, COLUMNS, ROWS])
