"""``tlc::window_attention`` cell by cell, at about the cost of global attention whatever the overlap.

A cell is a rectangle of pixels the same windows cover (:mod:`tlcconvert.lower.forms.loops.window_axis`). Every
pixel takes part in one q k^T and one attention v product. With S[window, cell] = 1 where the window covers
the cell, and M its transpose divided by the number of windows over each cell:

    gram of a window = sum over its pixels of q k^T = S (grams of the cells)      squared norms alike
    (q / |q|) (k / |k|)^T = q k^T / (|q| |k|^T)                                   q and k are not normalised
    mean over windows of (A v) = (mean over windows of A) v = (M A) v

S and M are Kronecker products of the two axes' and are applied one axis after the other. A cell is cut out of
the map by one Slice, in runs of its width, and has so few rows that what is made of it stays in the processor's
cache: the maps are read once and written once. Cells differ in size, so their grams are stacked by a Scan
(equal matrices), their outputs collected in a sequence and concatenated.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, cast

from onnxscript import FLOAT, ir

from tlcconvert.lower.forms.loops.subgraph import concatenated, scan
from tlcconvert.lower.forms.loops.window_axis import Axis, window_axis
from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.scores import activated, scaled
from tlcconvert.lower.forms.shared import shared, size_name
from tlcconvert.lower.forms.split_map import channels, in_place

_CELL = 2**18
"""Numbers of query, key or value in a cell: 1 MiB in float32."""


@dataclass(frozen=True)
class _Source:
    """``heads`` times c channels of a map [N, C, H, W], from channel ``first`` on."""

    whole: ir.Value
    first: int
    heads: int
    c: int

    def rectangle(self, starts: tuple[ir.Value, ir.Value], ends: tuple[ir.Value, ir.Value]) -> ir.Value:
        """[N, heads*c, rows, columns] from the place in ``starts`` up to that in ``ends`` (int64 [1] each)."""
        start = op.Concat(integers(self.first), *starts, axis=0)
        end = op.Concat(integers(self.first + self.heads * self.c), *ends, axis=0)
        return op.Slice(self.whole, start, end, integers(1, 2, 3))

    def flat(self, rectangle: ir.Value) -> ir.Value:
        """[N, heads, c, pixels]."""
        return op.Reshape(rectangle, integers(0, self.heads, self.c, -1))

    def squares(self, rectangle: ir.Value) -> ir.Value:
        """The squared norm of each channel, [N, heads, c, 1].

        Along the columns, then along the rows: a sum of all pixels in one go loses what flat areas amplify.
        """
        of_rows = op.ReduceSumSquare(rectangle, integers(3), keepdims=0)
        return op.Reshape(op.ReduceSum(of_rows, integers(2), keepdims=1), integers(0, self.heads, self.c, 1))


def window_attention_by_cells(
    query: FLOAT,
    key: FLOAT,
    value: FLOAT,
    temperature: FLOAT | None,
    heads: int,
    window_height: int,
    window_width: int,
    normalize: bool = True,
    eps: float = 1e-12,
    scale: float = 1.0,
    activation: str = "softmax",
) -> FLOAT:
    """[N, heads*c_q, H, W], see :func:`passes.statistics.attention.operator.window_attention`; float32."""
    maps = [cast(ir.Value, x) for x in (query, key, value)]
    q, k, v = (
        _Source(whole, first, heads, channels(x) // heads)
        for x, (whole, first) in zip(maps, in_place(maps), strict=True)
    )
    rows, columns = _rows_and_columns(maps[0], q, heads * max(q.c, k.c), window_height, window_width)
    grams, squares = _grams_and_squares(q, k, rows, columns)
    scores = _over_windows(grams, rows, columns)
    if normalize:
        norms = op.Sqrt(_over_windows(squares, rows, columns))
        norms = op.Max(norms, op.Constant(value_float=eps))
        k_norms = op.Transpose(_part(norms, q.c, q.c + k.c), perm=[0, 1, 2, 3, 5, 4])
        scores = op.Div(op.Div(scores, _part(norms, 0, q.c)), k_norms)
    attention = activated(scaled(scores, cast("ir.Value | None", temperature), scale), activation)
    return _attended(_over_cells(attention, rows, columns), v, heads * q.c, rows, columns)


def _rows_and_columns(
    x: ir.Value, source: _Source, most_channels: int, window_height: int, window_width: int
) -> tuple[Axis, Axis]:
    """The cells of both axes of x, which is part of ``source``; attentions over maps of one size share them."""
    height, width = (op.Shape(source.whole, start=axis, end=axis + 1) for axis in (2, 3))
    keys: tuple[Hashable, Hashable] = (
        ("rows", size_name(x, 2), size_name(x, 3), most_channels, window_height, window_width),
        ("columns", size_name(x, 3), window_width),
    )

    def rows() -> Axis:
        row = op.Mul(op.Min(width, integers(window_width)), integers(most_channels))
        longest = op.Max(op.Div(integers(_CELL), row), integers(1))
        return window_axis(height, window_height, op.Squeeze(longest))

    return shared(x, keys[0], rows), shared(x, keys[1], lambda: window_axis(width, window_width))


def _grams_and_squares(q: _Source, k: _Source, rows: Axis, columns: Axis) -> tuple[ir.Value, ir.Value]:
    """q k^T of each cell, [row cells, column cells, N, heads, c_q, c_k], and [..., c_q + c_k, 1] squared norms."""

    def of_cell(row: ir.Value, row_end: ir.Value, column: ir.Value, column_end: ir.Value) -> list[ir.Value]:
        sources = [(source, source.rectangle((row, column), (row_end, column_end))) for source in (q, k)]
        squares = [source.squares(rectangle) for source, rectangle in sources]
        a, b = (source.flat(rectangle) for source, rectangle in sources)
        return [op.MatMul(a, op.Transpose(b, perm=[0, 1, 3, 2])), op.Concat(*squares, axis=-2)]

    def of_row(row: ir.Value, row_end: ir.Value) -> list[ir.Value]:
        return list(scan(lambda *column: of_cell(row, row_end, *column), (columns.starts, columns.ends)))

    grams, squares = scan(of_row, (rows.starts, rows.ends))
    return grams, squares


def _attended(mixings: ir.Value, v: _Source, c_out: int, rows: Axis, columns: Axis) -> Any:
    """[N, c_out, H, W]: each cell's matrix of ``mixings`` times its pixels of ``v``."""

    def band(i: ir.Value) -> ir.Value:
        row, row_end, matrices = (op.Gather(x, i) for x in (rows.starts, rows.ends, mixings))

        def cell(j: ir.Value) -> ir.Value:
            column, column_end, matrix = (op.Gather(x, j) for x in (columns.starts, columns.ends, matrices))
            pixels = op.MatMul(matrix, v.flat(v.rectangle((row, column), (row_end, column_end))))
            return op.Reshape(
                pixels, op.Concat(integers(0, c_out), op.Sub(row_end, row), integers(-1), axis=0)
            )

        return concatenated(columns.number, cell, axis=3)

    return concatenated(rows.number, band, axis=2)


def _over_windows(x: ir.Value, rows: Axis, columns: Axis) -> ir.Value:
    """Sums over each window's cells of x [row cells, column cells, ...], [n_rows, n_columns, ...]."""
    return _over_axes(x, rows.covered, columns.covered)


def _over_cells(x: ir.Value, rows: Axis, columns: Axis) -> ir.Value:
    """Means over each cell's windows of x [n_rows, n_columns, ...], [row cells, column cells, ...]."""
    return _over_axes(x, rows.mean, columns.mean)


def _over_axes(x: ir.Value, rows: ir.Value, columns: ir.Value) -> ir.Value:
    """x [R, C, ...] times ``rows`` [r, R] and ``columns`` [c, C] along its first two axes."""
    summed = op.MatMul(columns, op.Reshape(x, integers(0, 0, -1)))
    summed = op.MatMul(rows, op.Reshape(summed, integers(0, -1)))
    lengths = (op.Shape(matrix, start=0, end=1) for matrix in (rows, columns))
    return op.Reshape(summed, op.Concat(*lengths, op.Shape(x, start=2), axis=0))


def _part(x: ir.Value, start: int, end: int) -> ir.Value:
    """x[..., start:end, :]."""
    return op.Slice(x, integers(start), integers(end), integers(-2))
