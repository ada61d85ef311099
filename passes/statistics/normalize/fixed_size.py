"""``tlc::local_normalize`` from merged moments, see :mod:`passes.statistics.variance.fixed_size`.

    y = (x - mean) / sqrt(var + eps)

The channels of a group are the first runs: their mean and variance at each pixel are merged over its window.
"""

from __future__ import annotations

import torch
from torch import Tensor

from passes.statistics.variance.fixed_size import Moments, window_moments
from passes.words.aten import by_group, replicate, ungrouped

aten = torch.ops.aten


def local_normalize(x: Tensor, window_height: int, window_width: int, groups: int, eps: float) -> Tensor:
    """x [N, C, H, W] normalised by the statistics of each pixel's window and group, H and W numbers."""
    height, width = x.shape[2:]
    has_own_statistics = groups == x.shape[1]
    pixels = Moments(x, aten.zeros_like.default(x)) if has_own_statistics else _over_channels(x, groups)
    mean, variance = window_moments(pixels, (height, width), window_height, window_width)
    scale = aten.rsqrt.default(aten.add.Tensor(variance, eps))
    mean, scale = (replicate(part, height, width) for part in (mean, scale))
    if has_own_statistics:
        return aten.mul.Tensor(aten.sub.Tensor(x, mean), scale)
    mean, scale = (aten.unsqueeze.default(part, 2) for part in (mean, scale))
    return ungrouped(aten.mul.Tensor(aten.sub.Tensor(by_group(x, groups), mean), scale), x)


def _over_channels(x: Tensor, groups: int) -> Moments:
    """The moments of each pixel over the channels of each group, [N, groups, H, W]."""
    grouped = by_group(x, groups)
    mean = aten.mean.dim(grouped, [2], True)
    centred = aten.sub.Tensor(grouped, mean)
    variance = aten.mean.dim(aten.mul.Tensor(centred, centred), [2])
    return Moments(aten.squeeze.dim(mean, 2), variance)
