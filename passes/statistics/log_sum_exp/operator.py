"""``tlc::local_log_sum_exp``: log of the sum of exp over every full window, in time that no window changes.

An axis is cut into blocks of k pixels. A window is the end of a block and the beginning of the next, and both are
running log-sum-exps of one block alone:

    ahead[i]  = log sum exp of block(i) up to i            behind[i] = the same from i on
    window from i  =  log(exp behind[i] + exp ahead[i + k - 1]),        or behind[i] where i begins a block

Nothing is subtracted, so small windows beside large ones keep their digits. The blocks are those of running maxima:
van Herk, "A fast algorithm for local minimum and maximum filters on rectangular and octagonal kernels", Pattern
Recognition Letters 13 (1992).
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from passes.operators.window import effective, interior_like


@torch.library.custom_op("tlc::local_log_sum_exp", mutates_args=())
def local_log_sum_exp(x: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    """Interior of log-sum-exps [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; k = min(window, size) per axis.

    Same dtype as x; computed in float64. Infinite pixels are what they are to :func:`torch.logsumexp`.

    Raises:
        ValueError: if a window is less than 1 pixel long.
    """
    columns = _along(x.double().mT, window_height).mT
    return _along(columns, window_width).to(x.dtype, copy=True)


@local_log_sum_exp.register_fake
def _(x: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    return interior_like(x, window_height, window_width)


def _along(x: torch.Tensor, window: int) -> torch.Tensor:
    size = x.shape[-1]
    k = effective(window, size)
    blocks = functional.pad(x, (0, -size % k), value=-math.inf).unflatten(-1, (-1, k))
    ahead = blocks.logcumsumexp(-1)
    ahead[..., -1] = -math.inf  # all of a block is in ``behind``
    behind = blocks.flip(-1).logcumsumexp(-1).flip(-1)
    interior = size - k + 1
    ends = ahead.flatten(-2).narrow(-1, k - 1, interior)
    return torch.logaddexp(behind.flatten(-2).narrow(-1, 0, interior), ends)
