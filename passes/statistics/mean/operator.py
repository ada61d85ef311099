"""``tlc::local_mean``: the mean over every full window, the local form of a global average pooling.

Source: Chu et al., "Improving Image Restoration by Revisiting Global Information Aggregation" (TLC),
arXiv:2112.04491, section 3.2. The paper pads the result to H x W at once; here that is ``tlc::replicate``.
"""

from __future__ import annotations

import torch

from passes.operators.box_sum import box_sum
from passes.operators.window import effective, interior_like


@torch.library.custom_op("tlc::local_mean", mutates_args=())
def local_mean(x: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    """Interior of windowed means [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; k = min(window, size) per axis.

    Same dtype as x; sums are float64. A 1x1 window returns x unchanged.

    Raises:
        ValueError: if a window is less than 1 pixel long.
    """
    height, width = x.shape[-2:]
    area = effective(window_height, height) * effective(window_width, width)
    if area == 1:
        return x.clone()
    return (box_sum(x, window_height, window_width) / area).to(x.dtype)


@local_mean.register_fake
def _(x: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    return interior_like(x, window_height, window_width)
