"""The grid operators in ATen: statistics of the windows at the nodes of a grid, and their spread over the pixels.

Sums are float64, and so are the weights they are spread with; a spread itself runs in the dtype of its grid.
"""

from __future__ import annotations

import torch
from torch import Tensor

from passes.decompose.axis import COLUMNS, ROWS, size, to
from passes.decompose.box_sum import area
from passes.decompose.grid_nodes import Nodes, interpolation, nodes, window_sums
from passes.decompose.local_mean import local_mean
from passes.decompose.local_normalize import by_group, local_normalize, ungrouped
from passes.decompose.local_variance import local_variance, moments
from passes.decompose.resample import replicate
from passes.operators.grid_nodes import spacing

aten = torch.ops.aten


def grid_mean(x: Tensor, window_height: int, window_width: int, ratio: int) -> Tensor:
    """Means [N, C, gh, gw] of the windows at the nodes of the grid; in the dtype of x."""
    if _has_every_window(window_height, window_width, ratio):
        return local_mean(x, window_height, window_width)
    sums = _sums(to(x, torch.float64), *_axes(x, window_height, window_width, ratio))
    return to(aten.div.Tensor(sums, area(x, window_height, window_width)), x.dtype)


def grid_variance(x: Tensor, window_height: int, window_width: int, ratio: int) -> Tensor:
    """Biased variances [N, C, gh, gw] of the windows at the nodes of the grid; in the dtype of x."""
    if _has_every_window(window_height, window_width, ratio):
        return local_variance(x, window_height, window_width)
    sums = _power_sums(to(x, torch.float64), *_axes(x, window_height, window_width, ratio))
    _, variance = moments(*sums, area(x, window_height, window_width))
    return to(variance, x.dtype)


def grid_spread(
    grid: Tensor, height: int, width: int, window_height: int, window_width: int, ratio: int
) -> Tensor:
    """Grid [N, C, gh, gw] spread over [N, C, height, width], linearly between nodes; in the dtype of the grid."""
    if _has_every_window(window_height, window_width, ratio):
        return replicate(grid, height, width)
    axes = nodes(height, window_height, ratio), nodes(width, window_width, ratio)
    return _spread(grid, *_weights(*axes, grid.dtype))


def spread_product(x: Tensor, grid: Tensor, window_height: int, window_width: int, ratio: int) -> Tensor:
    """x [N, C, H, W] times the grid spread over H x W."""
    gate = grid_spread(grid, size(x, ROWS), size(x, COLUMNS), window_height, window_width, ratio)
    return aten.mul.Tensor(x, gate)


def grid_normalize(
    x: Tensor, window_height: int, window_width: int, groups: int, eps: float, ratio: int
) -> Tensor:
    """x [N, C, H, W] normalised by the spread statistics of its groups of channels; in the dtype of x.

    What is spread of the means is their difference to a group's level, the mean of all its nodes: this keeps
    the rounding of the weights from being one of the level.
    """
    if _has_every_window(window_height, window_width, ratio):
        return local_normalize(x, window_height, window_width, groups, eps)
    axes = _axes(x, window_height, window_width, ratio)
    grouped = by_group(x, groups)
    pixels = to(grouped, torch.float64)
    sums, squares = (
        _sums(aten.sum.dim_IntList(power, [2]), *axes) for power in (pixels, aten.mul.Tensor(pixels, pixels))
    )
    count = area(x, window_height, window_width) * (x.shape[1] // groups)
    mean, variance = moments(sums, squares, count)
    level = to(aten.mean.dim(mean, [2, 3], True), x.dtype)
    offset = to(aten.sub.Tensor(mean, to(level, torch.float64)), x.dtype)
    stabilised = to(aten.add.Tensor(variance, eps), x.dtype)
    weights = _weights(*axes, x.dtype)
    level, offset, scale = (
        aten.unsqueeze.default(part, 2)
        for part in (
            level,
            _spread(offset, *weights),
            aten.rsqrt.default(_spread(stabilised, *weights)),
        )
    )
    centred = aten.sub.Tensor(aten.sub.Tensor(grouped, level), offset)
    return ungrouped(aten.mul.Tensor(centred, scale))


def _has_every_window(window_height: int, window_width: int, ratio: int) -> bool:
    return spacing(window_height, ratio) == spacing(window_width, ratio) == 1


def _axes(x: Tensor, window_height: int, window_width: int, ratio: int) -> tuple[Nodes, Nodes]:
    return nodes(size(x, ROWS), window_height, ratio), nodes(size(x, COLUMNS), window_width, ratio)


def _sums(x: Tensor, rows: Nodes, columns: Nodes) -> Tensor:
    """Window sums [N, C, gh, gw] of x [N, C, H, W]."""
    return window_sums(window_sums(x, ROWS, rows), COLUMNS, columns)


def _power_sums(x: Tensor, rows: Nodes, columns: Nodes) -> tuple[Tensor, Tensor]:
    """Window sums of x and of x^2."""
    return _sums(x, rows, columns), _sums(aten.mul.Tensor(x, x), rows, columns)


def _weights(rows: Nodes, columns: Nodes, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return to(interpolation(rows), dtype), to(aten.t.default(interpolation(columns)), dtype)


def _spread(grid: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows [H, gh] @ grid [N, C, gh, gw] @ columns [gw, W]."""
    return aten.matmul.default(rows, aten.matmul.default(grid, columns))
