"""The cells of an image: nine groups of equal rectangles, the products of the cell families of its two axes.

Everything here depends on the image's size only, so attentions over maps of one size share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from onnxscript import ir

from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.whole_numbers import numbers
from tlcconvert.lower.forms.window_cells import Cells, mean_over_windows, window_cells


@dataclass(frozen=True)
class Group:
    """``rows`` x ``columns`` cells of ``area`` pixels each; there may be none.

    Attributes:
        pixels: int64 [rows, columns, area], flat numbers y*W + x of each cell's pixels.
        ones: float32 [rows, columns, 1, area].
        mean: float32 [rows, columns, n_columns], averages over the window columns of each cell.
    """

    pixels: ir.Value
    ones: ir.Value
    mean: ir.Value


@dataclass(frozen=True)
class Grid:
    """An image of n_rows x n_columns windows.

    Attributes:
        groups: the nine groups, row families outermost.
        number: int64 [1], H*W.
        places: int64 [H*W], where each pixel stands in the groups' concatenation.
        row_sum: float32 [n_rows, all row cells], 1 where the window covers the cell.
        row_mean: float32 [row cells, n_rows] of each row family, averages over the windows of each cell.
        column_sum: float32 [row cells, n_columns, all column cells] of each row family, 1 where covered.
        column_windows: int64 [1], n_columns.
    """

    groups: list[Group]
    number: ir.Value
    places: ir.Value
    row_sum: ir.Value
    row_mean: list[ir.Value]
    column_sum: list[ir.Value]
    column_windows: ir.Value


def window_grid(height: ir.Value, width: ir.Value, window_height: int, window_width: int) -> Grid:
    """The cells of an image of ``height`` x ``width`` (int64 [1] each) pixels.

    ONNX Runtime's MatMul does not broadcast a matrix over an empty axis: column matrices repeat per row cell.
    """
    rows, columns = window_cells(height, window_height), window_cells(width, window_width)
    row_mean, column_mean = _means(rows), _means(columns)
    groups = [
        _group(row, column, mean, width)
        for row, (column, mean) in product(rows.pixels, list(zip(columns.pixels, column_mean, strict=True)))
    ]
    column_sum = op.Concat(*columns.covered, axis=1)
    number = op.Mul(height, width)
    return Grid(
        groups,
        number,
        _places(groups, number),
        op.Concat(*rows.covered, axis=1),
        row_mean,
        [op.Expand(column_sum, op.Concat(_length(row, 0), integers(1, 1), axis=0)) for row in rows.pixels],
        columns.windows,
    )


def _means(axis: Cells) -> list[ir.Value]:
    """float32 [cells, n] per family."""
    return [mean_over_windows(covered) for covered in axis.covered]


def _group(rows: ir.Value, columns: ir.Value, column_mean: ir.Value, width: ir.Value) -> Group:
    cells = op.Concat(_length(rows, 0), _length(columns, 0), axis=0)
    area = op.Mul(_length(rows, 1), _length(columns, 1))
    scattered = op.Add(
        op.Unsqueeze(op.Mul(rows, width), integers(1, 3)), op.Unsqueeze(columns, integers(0, 2))
    )
    pixels = op.Reshape(scattered, op.Concat(cells, area, axis=0), allowzero=1)
    ones = op.Expand(op.Constant(value_float=1.0), op.Concat(cells, integers(1), area, axis=0))
    mean = op.Expand(column_mean, op.Concat(_length(rows, 0), integers(1, 1), axis=0))
    return Group(pixels, ones, mean)


def _places(groups: list[Group], number: ir.Value) -> ir.Value:
    order = op.Concat(*[op.Reshape(group.pixels, integers(-1)) for group in groups], axis=0)
    places = numbers(number)
    return op.ScatterElements(places, order, places)


def _length(x: ir.Value, axis: int) -> ir.Value:
    return op.Shape(x, start=axis, end=axis + 1)
