"""A fixed colour shift, stored as the 1x1 convolution the published branches hold."""

from __future__ import annotations

import torch
from torch import nn

_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K


def mean_shift(sign: int) -> nn.Conv2d:
    """``x + sign * mean``, [N, 3, H, W] in and out; a checkpoint brings its own values."""
    shift = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        shift.weight.copy_(torch.eye(3)[:, :, None, None])
        if shift.bias is not None:
            shift.bias.copy_(sign * torch.tensor(_MEAN))
    return shift.requires_grad_(False)
