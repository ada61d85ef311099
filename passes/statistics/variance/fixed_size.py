"""``tlc::local_variance`` from the means and variances of runs of 1, 2, 4, ... pixels, in the dtype of the map.

Two disjoint runs a and b of n_a and n_b pixels, n = n_a + n_b, d = mean_b - mean_a, make one of

    mean = mean_a + d n_b / n
    var  = var_a n_a / n + var_b n_b / n + d^2 n_a n_b / n^2           (Chan, Golub, LeVeque 1979)

Every term of the variance is positive: nothing cancels, so float32 suffices on flat regions of any level. Runs of
2^j pixels are two of 2^(j-1); a window is one run for each binary digit of its length.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from passes.words.aten import between
from passes.words.words import COLUMNS, ROWS

aten = torch.ops.aten


class Moments(NamedTuple):
    """Mean and biased variance of the pixels behind each element, two maps of the same shape."""

    mean: Tensor
    variance: Tensor


def local_variance(x: Tensor, window_height: int, window_width: int) -> Tensor:
    """Interior of biased variances [N, C, H-kh+1, W-kw+1] of x [N, C, H, W], H and W numbers."""
    pixels = Moments(x, aten.zeros_like.default(x))
    return window_moments(pixels, tuple(x.shape[2:]), window_height, window_width).variance


def window_moments(pixels: Moments, size: tuple[int, ...], window_height: int, window_width: int) -> Moments:
    """The moments of every full window over maps [N, C, H, W] of ``size`` (H, W)."""
    height, width = size
    rows = _along(pixels, ROWS, height, min(window_height, height))
    return _along(rows, COLUMNS, width, min(window_width, width))


def _along(pixels: Moments, axis: int, size: int, k: int) -> Moments:
    """The moments of every run of ``k`` along an axis of ``size``."""
    window, covered = None, 0
    runs, length = pixels, 1
    while True:
        if k & length:
            part = _shifted(runs, axis, covered, size - k + 1)
            window = part if window is None else _merged(window, part, covered, length)
            covered += length
        if covered == k:
            assert window is not None
            return window
        count = size - 2 * length + 1
        runs = _merged(_shifted(runs, axis, 0, count), _shifted(runs, axis, length, count), length, length)
        length *= 2


def _shifted(runs: Moments, axis: int, start: int, count: int) -> Moments:
    return Moments(*(between(part, axis, start, start + count) for part in runs))


def _merged(a: Moments, b: Moments, count_a: int, count_b: int) -> Moments:
    share_a, share_b = count_a / (count_a + count_b), count_b / (count_a + count_b)
    step = aten.sub.Tensor(b.mean, a.mean)
    mean = aten.add.Tensor(a.mean, aten.mul.Tensor(step, share_b))
    within = aten.add.Tensor(aten.mul.Tensor(a.variance, share_a), aten.mul.Tensor(b.variance, share_b))
    between = aten.mul.Tensor(aten.mul.Tensor(step, step), share_a * share_b)
    return Moments(mean, aten.add.Tensor(within, between))
