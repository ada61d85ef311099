"""What local statistics mean, by brute force: run the global network on the crop around every pixel.

oracle[p] = network(x[s : s + k])[p - s],    s = clamp(p - (k - 1) // 2, 0, H - k) per axis,  k = min(H, window)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def cropped(network: nn.Module, x: Tensor, window: tuple[int, int]) -> Tensor:
    """``network`` at every pixel of ``x`` [N, C, H, W] as if the image were that pixel's window."""
    (height, width), (k_h, k_w) = x.shape[2:], (min(x.shape[2], window[0]), min(x.shape[3], window[1]))
    rows = []
    with torch.no_grad():
        for i in range(height):
            top = min(max(i - (k_h - 1) // 2, 0), height - k_h)
            row = []
            for j in range(width):
                left = min(max(j - (k_w - 1) // 2, 0), width - k_w)
                crop = x[:, :, top : top + k_h, left : left + k_w].contiguous()
                row.append(network(crop)[:, :, i - top, j - left])
            rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2)
