"""``tlc::local_normalize`` in ATen: float64 sums, then a subtraction in two parts of the dtype of x.

    mean = high + low        high = float32(mean), low = float32(mean - high)
    y = ((x - high) - low) / sqrt(var + eps)

x - high is exact where the two are close (Sterbenz), so this keeps what a float64 subtraction would, at half
the memory traffic.
"""

from __future__ import annotations

import torch
from torch import Tensor

from passes.decompose.axis import COLUMNS, ROWS, size, to
from passes.decompose.box_sum import area, box_sum
from passes.decompose.local_variance import moments, power_sums
from passes.decompose.resample import replicate

aten = torch.ops.aten


def local_normalize(x: Tensor, window_height: int, window_width: int, groups: int, eps: float) -> Tensor:
    """x [N, C, H, W] normalised by the statistics of each pixel's window and group; in the dtype of x."""
    count = area(x, window_height, window_width)
    if groups == x.shape[1]:
        mean, variance = moments(*power_sums(x, window_height, window_width), count)
        high, low, scale = _on_pixels(x, mean, variance, eps)
        return _normalized(x, high, low, scale)
    grouped = by_group(x, groups)
    pixels = to(grouped, torch.float64)
    sums, squares = (
        box_sum(aten.sum.dim_IntList(power, [2]), window_height, window_width)
        for power in (pixels, aten.mul.Tensor(pixels, pixels))
    )
    mean, variance = moments(sums, squares, count * (x.shape[1] // groups))
    high, low, scale = (aten.unsqueeze.default(part, 2) for part in _on_pixels(x, mean, variance, eps))
    return ungrouped(_normalized(grouped, high, low, scale))


def by_group(x: Tensor, groups: int) -> Tensor:
    """[N, groups, C / groups, h, w] of x [N, C, h, w]."""
    return aten.unflatten.int(x, 1, [groups, x.shape[1] // groups])


def ungrouped(grouped: Tensor) -> Tensor:
    """[N, C, h, w] of [N, groups, C / groups, h, w]."""
    return aten.flatten.using_ints(grouped, 1, 2)


def _on_pixels(x: Tensor, mean: Tensor, variance: Tensor, eps: float) -> list[Tensor]:
    """High and low part of the mean and 1 / sqrt(variance + eps), replicated to the size of x."""
    high = to(mean, x.dtype)
    low = to(aten.sub.Tensor(mean, to(high, torch.float64)), x.dtype)
    scale = to(aten.rsqrt.default(aten.add.Tensor(variance, eps)), x.dtype)
    return [replicate(part, size(x, ROWS), size(x, COLUMNS)) for part in (high, low, scale)]


def _normalized(x: Tensor, high: Tensor, low: Tensor, scale: Tensor) -> Tensor:
    return aten.mul.Tensor(aten.sub.Tensor(aten.sub.Tensor(x, high), low), scale)
