"""``tlc::local_normalize``: instance, group and layer normalisation over the window around each pixel.

    y = (x - mean) / sqrt(var + eps)

with the mean and biased variance of one window of one group of channels, replicated to every pixel. Sums and
subtraction are float64: at level 100 on a flat map, a mean rounded to float32 is off by 1e-3 of y.

Source: Chu et al. (TLC), arXiv:2112.04491, for instance normalisation; groups of channels follow.
"""

from __future__ import annotations

import torch

from passes.operators.box_sum import box_sum
from passes.operators.replicate import replicate
from passes.operators.window import effective


@torch.library.custom_op("tlc::local_normalize", mutates_args=())
def local_normalize(
    x: torch.Tensor, window_height: int, window_width: int, groups: int, eps: float
) -> torch.Tensor:
    """Normalises x [N, C, H, W] over windows of min(window, size) pixels per axis and C / groups channels.

    groups = C is instance normalisation, groups = 1 layer normalisation over C, H and W. The result has the
    shape and dtype of x.

    Raises:
        ValueError: if a window is less than 1 pixel long, or ``groups`` does not divide the channels.
    """
    _check_groups(x, groups)
    height, width = x.shape[-2:]
    centred = x.double().unflatten(1, (groups, -1))
    centred = centred - centred.mean((2, 3, 4), keepdim=True)
    count = effective(window_height, height) * effective(window_width, width) * centred.shape[2]
    mean = box_sum(centred.sum(2), window_height, window_width) / count
    square = box_sum(centred.square().sum(2), window_height, window_width) / count
    scale = (square - mean.square()).clamp_(min=0).add_(eps).rsqrt_()
    centred -= replicate(mean, height, width).unsqueeze(2)
    centred *= replicate(scale, height, width).unsqueeze(2)
    return centred.flatten(1, 2).to(x.dtype)


@local_normalize.register_fake
def _(x: torch.Tensor, window_height: int, window_width: int, groups: int, eps: float) -> torch.Tensor:
    _check_groups(x, groups)
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _check_groups(x: torch.Tensor, groups: int) -> None:
    if groups < 1 or x.shape[1] % groups:
        raise ValueError(f"{groups} groups do not divide {x.shape[1]} channels")
