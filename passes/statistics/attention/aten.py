"""``tlc::window_attention`` in ATen: all windows at once, as a batch of matrices.

    rows, columns of all windows, side by side        x [.., H, W] -> [.., nr*kh, nc*kw]
    each window a matrix                              [N*heads*nr*nc, c, kh*kw]
    (q / |q|) (k / |k|)^T = q k^T / (|q| |k|^T)       q and k are not normalised
    each pixel the mean of its one or two windows     per axis: (first + last) / 2

Windows are laid side by side by an index, so pixels that several windows cover are copied: at most twice per axis,
just above one window, and hardly any far above it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from passes.statistics.attention.window_axis import WindowAxis, window_axis
from passes.words.aten import size
from passes.words.words import COLUMNS, ROWS

aten = torch.ops.aten


def window_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    temperature: Tensor | None,
    heads: int,
    window_height: int,
    window_width: int,
    normalize: bool = True,
    eps: float = 1e-12,
    scale: float = 1.0,
    activation: str = "softmax",
) -> Tensor:
    """[N, heads*c_q, H, W], see :func:`passes.statistics.attention.operator.window_attention`; float32."""
    rows = window_axis(size(query, ROWS), window_height)
    columns = window_axis(size(query, COLUMNS), window_width)
    c_q, c_k = query.shape[1] // heads, key.shape[1] // heads
    q, k, v = (_windows(x, heads, c, rows, columns) for x, c in ((query, c_q), (key, c_k), (value, c_k)))
    scores = aten.bmm.default(q, _transposed(k))
    if normalize:
        scores = aten.div.Tensor(scores, _norms(q, eps))
        scores = aten.div.Tensor(scores, _transposed(_norms(k, eps)))
    batch = size(query, 0)
    by_head = aten.reshape.default(scores, [batch, heads, rows.windows * columns.windows, c_q, c_k])
    attention = _activated(_scaled(by_head, temperature, scale), activation)
    attended = aten.bmm.default(aten.flatten.using_ints(attention, 0, 2), v)
    return _pixels(attended, batch, heads, c_q, rows, columns)


def _windows(x: Tensor, heads: int, c: int, rows: WindowAxis, columns: WindowAxis) -> Tensor:
    """[N*heads*nr*nc, c, kh*kw] of x [N, heads*c, H, W]."""
    side_by_side = aten.index_select.default(x, ROWS, rows.pixels)
    side_by_side = aten.index_select.default(side_by_side, COLUMNS, columns.pixels)
    split = [size(x, 0), heads, c, rows.windows, rows.k, columns.windows, columns.k]
    windows = aten.permute.default(aten.reshape.default(side_by_side, split), [0, 1, 3, 5, 2, 4, 6])
    count = size(x, 0) * heads * rows.windows * columns.windows
    return aten.reshape.default(windows, [count, c, rows.k * columns.k])


def _pixels(windows: Tensor, batch: int, heads: int, c: int, rows: WindowAxis, columns: WindowAxis) -> Tensor:
    """The map [N, heads*c, H, W] of windows [N*heads*nr*nc, c, kh*kw], the mean where they overlap."""
    split = [batch, heads, rows.windows, columns.windows, c, rows.k, columns.k]
    parts = aten.permute.default(aten.reshape.default(windows, split), [0, 1, 4, 2, 5, 3, 6])
    sides = [batch, heads * c, rows.windows * rows.k, columns.windows * columns.k]
    return _mean_of_windows(
        _mean_of_windows(aten.reshape.default(parts, sides), ROWS, rows), COLUMNS, columns
    )


def _mean_of_windows(side_by_side: Tensor, axis: int, of: WindowAxis) -> Tensor:
    first, last = (aten.index_select.default(side_by_side, axis, place) for place in (of.first, of.last))
    return aten.mul.Tensor(aten.add.Tensor(first, last), 0.5)


def _norms(x: Tensor, eps: float) -> Tensor:
    """The L2 norm of every row of matrices, at least ``eps``, [B, c, 1]."""
    squares = aten.sum.dim_IntList(aten.mul.Tensor(x, x), [-1], True)
    return aten.clamp.default(aten.sqrt.default(squares), eps)


def _scaled(scores: Tensor, temperature: Tensor | None, scale: float) -> Tensor:
    """Scores [N, heads, windows, c_q, c_k] times both; the temperature is the same for all windows."""
    if scale != 1.0:
        scores = aten.mul.Tensor(scores, scale)
    if temperature is None:
        return scores
    if len(temperature.shape) > 2:
        temperature = aten.unsqueeze.default(temperature, -3)
    return aten.mul.Tensor(scores, temperature)


def _activated(scores: Tensor, activation: str) -> Tensor:
    if activation == "softmax":
        return aten.softmax.int(scores, -1)
    return aten.relu.default(scores) if activation == "relu" else scores


def _transposed(x: Tensor) -> Tensor:
    return aten.transpose.int(x, 1, 2)
