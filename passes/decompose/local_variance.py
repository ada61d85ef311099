"""``tlc::local_variance`` in ATen: mean(x^2) - mean(x)^2 in float64, clamped at 0.

The rows that enter (e) and leave (l) a window give its sum of squares the same step times one more sum:

    e^2 - l^2 = (e - l) (e + l)
"""

from __future__ import annotations

import torch
from torch import Tensor

from passes.decompose.axis import COLUMNS, ROWS, to
from passes.decompose.box_sum import area, running_sum, split, sum_along, total

aten = torch.ops.aten


def local_variance(x: Tensor, window_height: int, window_width: int) -> Tensor:
    """Interior of biased variances [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; in the dtype of x."""
    sums, squares = power_sums(x, window_height, window_width)
    _, variance = moments(sums, squares, area(x, window_height, window_width))
    return to(variance, x.dtype)


def power_sums(x: Tensor, window_height: int, window_width: int) -> tuple[Tensor, Tensor]:
    """Window sums of x and of x^2, [N, C, H-kh+1, W-kw+1] each, float64."""
    if window_height == 1:
        sums = to(x, torch.float64)
        squares = aten.mul.Tensor(sums, sums)
    else:
        first, entering, leaving = (to(rows, torch.float64) for rows in split(x, ROWS, window_height))
        steps = aten.sub.Tensor(entering, leaving)
        square_steps = aten.mul.Tensor(steps, aten.add.Tensor(entering, leaving))
        sums = running_sum(total(first, ROWS), steps, ROWS)
        squares = running_sum(total(aten.mul.Tensor(first, first), ROWS), square_steps, ROWS)
    return sum_along(sums, COLUMNS, window_width), sum_along(squares, COLUMNS, window_width)


def moments(sums: Tensor, squares: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance, float64, of ``count`` values with these sums of x and x^2."""
    mean = aten.div.Tensor(sums, count)
    variance = aten.sub.Tensor(aten.div.Tensor(squares, count), aten.mul.Tensor(mean, mean))
    return mean, aten.clamp.default(variance, 0)
