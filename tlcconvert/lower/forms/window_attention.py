"""``tlc::window_attention`` in standard ONNX operators, at about the cost of global attention.

Every pixel takes part in one q k^T and one attention v product, whatever the overlap. A cell is a rectangle
of pixels the same windows cover (:mod:`tlcconvert.lower.forms.window_cells`). With S[window, cell] = 1 where the
window covers the cell, and M its transpose divided by the number of windows over each cell:

    gram of a window = sum over its pixels of q k^T = S (grams of the cells)      squared norms alike
    (q / |q|) (k / |k|)^T = q k^T / (|q| |k|^T)                                   q and k are not normalised
    mean over windows of (A v) = (mean over windows of A) v = (M A) v

S and M are Kronecker products of the two axes' and are applied one axis after the other. The nine groups of
equal cells are gathered once, from a pixel-major copy in runs of c numbers: along the innermost axis of
the map itself ONNX Runtime would gather one number at a time, ten times slower.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import cast

from onnxscript import FLOAT, ir

from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.scores import activated, scaled
from tlcconvert.lower.forms.shared import shared, size_name
from tlcconvert.lower.forms.split_map import channels, in_place
from tlcconvert.lower.forms.window_grid import Grid, window_grid


def window_attention(
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
    c_q, c_k = channels(maps[0]) // heads, channels(maps[1]) // heads
    sources = in_place(maps)
    batch, height, width = (op.Shape(sources[0][0], start=axis, end=axis + 1) for axis in (0, 2, 3))
    image = (size_name(maps[0], 2), size_name(maps[0], 3), window_height, window_width)
    grid = shared(maps[0], ("grid", image), lambda: window_grid(height, width, window_height, window_width))

    q, k, v = (
        _cells(whole, first // c, c, heads, grid, image)
        for (whole, first), c in zip(sources, (c_q, c_k, c_k), strict=True)
    )
    grams = [op.MatMul(_transpose(a), b) for a, b in zip(q, k, strict=True)]
    scores = _over_windows(grams, grid, c_q, c_k)
    if normalize:
        norms = op.Max(op.Sqrt(_squares_over_windows(q, k, grid, c_q + c_k)), op.Constant(value_float=eps))
        q_norms, k_norms = _part(norms, 0, c_q), _part(norms, c_q, c_q + c_k)
        scores = op.Div(op.Div(scores, _transpose(q_norms)), k_norms)
    attention = activated(scaled(scores, _per_window(temperature), scale), activation)

    mixings = _over_cells(_transpose(attention), grid, c_k, c_q)
    outputs = [
        op.Reshape(op.MatMul(pixels, mixing), integers(0, 0, -1, c_q))
        for pixels, mixing in zip(v, mixings, strict=True)
    ]
    places = shared(maps[0], ("places", image, heads), lambda: _places_of_heads(grid, heads))
    attended = op.Gather(op.Reshape(op.Concat(*outputs, axis=2), integers(0, -1, c_q)), places, axis=1)
    shape = op.Concat(batch, height, width, integers(heads * c_q), axis=0)
    return op.Transpose(op.Reshape(attended, shape), perm=[0, 3, 1, 2])


def _cells(x: ir.Value, plane: int, c: int, heads: int, grid: Grid, image: Hashable) -> list[ir.Value]:
    """Pixels of ``heads`` planes of x by group, [N, heads, row cells, column cells, pixels, c]."""
    rows = shared(x, ("pixel-major", x, c), lambda: _pixel_major(x, c))
    planes = channels(x) // c
    key = ("cells", image, heads, plane, planes)
    places = shared(x, key, lambda: _rows_of_planes(grid, plane, heads, planes))
    return [op.Gather(rows, group, axis=1) for group in places]


def _pixel_major(x: ir.Value, c: int) -> ir.Value:
    """[N, H*W*planes, c] of x [N, planes*c, H, W].

    Behind a convolution ONNX Runtime makes this transposition part of leaving its blocked layout.
    """
    return op.Reshape(op.Transpose(x, perm=[0, 2, 3, 1]), integers(0, -1, c))


def _rows_of_planes(grid: Grid, plane: int, heads: int, planes: int) -> list[ir.Value]:
    """int64 [heads, row cells, column cells, pixels] of each group, rows of the pixel-major map of ``planes``."""
    first = op.Unsqueeze(integers(*range(plane, plane + heads)), integers(1, 2, 3))
    return [op.Add(op.Mul(group.pixels, integers(planes)), first) for group in grid.groups]


def _places_of_heads(grid: Grid, heads: int) -> ir.Value:
    """int64 [H*W*heads], where each pixel of each head stands in the groups' concatenation, pixels outermost."""
    starts = op.Mul(integers(*range(heads)), grid.number)
    return op.Reshape(op.Add(op.Unsqueeze(grid.places, integers(1)), starts), integers(-1))


def _over_windows(groups: list[ir.Value], grid: Grid, r: int, s: int) -> ir.Value:
    """Sums of matrices r x s over each window's cells, [N, heads, n_rows, n_columns, r, s]."""
    rows = [
        op.Reshape(op.Concat(*groups[i : i + 3], axis=3), integers(0, 0, 0, 0, r * s)) for i in range(0, 9, 3)
    ]
    rows = [op.MatMul(columns, x) for columns, x in zip(grid.column_sum, rows, strict=True)]
    sums = op.MatMul(grid.row_sum, op.Reshape(op.Concat(*rows, axis=2), integers(0, 0, 0, -1)))
    return op.Reshape(sums, op.Concat(integers(0, 0, 0), grid.column_windows, integers(r, s), axis=0))


def _squares_over_windows(q: list[ir.Value], k: list[ir.Value], grid: Grid, c: int) -> ir.Value:
    """Squared norms of q's and k's channels, [N, heads, n_rows, n_columns, 1, c_q + c_k].

    A product with ones is the fastest sum over a long axis -2.
    """
    squares = [
        op.Concat(op.MatMul(group.ones, op.Mul(a, a)), op.MatMul(group.ones, op.Mul(b, b)), axis=-1)
        for group, a, b in zip(grid.groups, q, k, strict=True)
    ]
    return _over_windows(squares, grid, 1, c)


def _over_cells(matrices: ir.Value, grid: Grid, r: int, s: int) -> list[ir.Value]:
    """Means of matrices r x s over each cell's windows, [N, heads, row cells, column cells, r, s]."""
    flat = op.Reshape(matrices, integers(0, 0, 0, -1))
    columns = op.Concat(integers(0, 0, 0), grid.column_windows, integers(r * s), axis=0)
    rows = [op.Reshape(op.MatMul(mean, flat), columns) for mean in grid.row_mean]
    split = integers(0, 0, 0, 0, r, s)
    return [op.Reshape(op.MatMul(group.mean, rows[i // 3]), split) for i, group in enumerate(grid.groups)]


def _per_window(temperature: FLOAT | None) -> ir.Value | None:
    """``temperature`` so that it broadcasts to scores [N, heads, n_rows, n_columns, c_q, c_k]."""
    if temperature is None:
        return None
    value = cast(ir.Value, temperature)
    assert value.shape is not None
    return op.Unsqueeze(value, integers(-4, -3)) if value.shape.rank() > 2 else value


def _transpose(x: ir.Value) -> ir.Value:
    """Matrices s x r of x [N, heads, rows, columns, r, s]."""
    return op.Transpose(x, perm=[0, 1, 2, 3, 5, 4])


def _part(x: ir.Value, start: int, end: int) -> ir.Value:
    """x[..., start:end]."""
    return op.Slice(x, integers(start), integers(end), integers(-1))
