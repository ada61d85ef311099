"""``tlc::local_variance``: the biased variance of every full window, safe where the map is flat.

    var = mean(x^2) - mean(x)^2

cancels where the variance is small against the level; in float32 it goes negative. Here it runs in float64 on
the map less its own mean, and is clamped at 0.
"""

from __future__ import annotations

import torch

from passes.operators.box_sum import box_sum
from passes.operators.window import effective, interior_like


@torch.library.custom_op("tlc::local_variance", mutates_args=())
def local_variance(x: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    """Interior of biased variances [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; k = min(window, size) per axis.

    Same dtype as x, never negative.

    Raises:
        ValueError: if a window is less than 1 pixel long.
    """
    height, width = x.shape[-2:]
    area = effective(window_height, height) * effective(window_width, width)
    centred = x.double()
    centred = centred - centred.mean((2, 3), keepdim=True)
    mean = box_sum(centred, window_height, window_width) / area
    square = box_sum(centred.square_(), window_height, window_width) / area
    return (square - mean.square()).clamp_(min=0).to(x.dtype)


@local_variance.register_fake
def _(x: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    return interior_like(x, window_height, window_width)
