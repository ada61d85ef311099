"""``tlc::local_max``: the maximum over every full window, exact, in log2(k) steps per axis.

    max over 2m pixels from i  =  max(max over m pixels from i, max over m pixels from i + m)

The last step overlaps, which a maximum does not mind.
"""

from __future__ import annotations

import torch

from passes.operators.window import effective, interior_like


@torch.library.custom_op("tlc::local_max", mutates_args=())
def local_max(x: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    """Interior of maxima [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; k = min(window, size) per axis, any dtype.

    Raises:
        ValueError: if a window is less than 1 pixel long.
    """
    maxima = _max_along(_max_along(x, -2, window_height), -1, window_width)
    return maxima.clone() if maxima is x else maxima


@local_max.register_fake
def _(x: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    return interior_like(x, window_height, window_width)


def _max_along(x: torch.Tensor, axis: int, window: int) -> torch.Tensor:
    k = effective(window, x.shape[axis])
    covered = 1
    while covered < k:
        shift = min(covered, k - covered)
        length = x.shape[axis] - shift
        x = torch.maximum(x.narrow(axis, 0, length), x.narrow(axis, shift, length))
        covered += shift
    return x
