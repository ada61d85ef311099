"""``tlc::local_mean`` as two matrix products.

    y = B_h x B_w^T        B [n, size],  B[i, p] = 1/k where i <= p < i + k,  else 0
                           k = min(window, size),  n = size - k + 1

A row of B has k equal entries, so each product is a mean over k pixels of one axis.
"""

from __future__ import annotations

import torch
from torch import Tensor

aten = torch.ops.aten


def local_mean(x: Tensor, window_height: int, window_width: int) -> Tensor:
    """Interior of windowed means [N, C, H-kh+1, W-kw+1] of x [N, C, H, W], H and W numbers."""
    height, width = x.shape[2:]
    means: Tensor = x
    if window_height > 1:
        means = aten.matmul.default(_band(height, window_height, x.dtype), means)
    if window_width > 1:
        means = aten.matmul.default(means, _band(width, window_width, x.dtype).T.contiguous())
    return aten.clone.default(x) if means is x else means


def _band(size: int, window: int, dtype: torch.dtype) -> Tensor:
    """B [n, size]."""
    k = min(window, size)
    distance = torch.arange(size) - torch.arange(size - k + 1).unsqueeze(1)
    return ((distance >= 0) & (distance < k)).to(dtype) / k
