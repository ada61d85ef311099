"""Windows of a feature map, and what is taken over each, in float64 and without running sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Windows:
    """All pairs of a window row and a window column: ``[top, top + height) x [left, left + width)``."""

    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)


def window_size(feature_size: int, train_size: int) -> int:
    """The base size is one and a half training crops; a map at a fraction of the resolution has that fraction."""
    return max(1, feature_size * int(1.5 * train_size) // train_size)


def around_pixels(height: int, width: int, window: tuple[int, int]) -> Windows:
    """The window of every pixel: full, and as centred as the border allows."""
    k_h, k_w = min(height, window[0]), min(width, window[1])
    rows, columns = (
        tuple(min(max(pixel - (k - 1) // 2, 0), extent - k) for pixel in range(extent))
        for extent, k in ((height, k_h), (width, k_w))
    )
    return Windows(rows, columns, k_h, k_w)


def of_attention(height: int, width: int, window: tuple[int, int]) -> Windows:
    """The windows of a transposed attention, which overlap and leave nothing out."""
    k_h, k_w = min(height, window[0]), min(width, window[1])
    return Windows(_strided(height, k_h), _strided(width, k_w), k_h, k_w)


def _strided(extent: int, k: int) -> tuple[int, ...]:
    count = (extent - 1) // k + 1
    step = k if count == 1 else ceil((extent - k) / (count - 1) - 1e-8)
    inner = [start for start in range(0, extent, step) if start + k < extent]
    return (*inner, extent - k)


def mean_over(x: Tensor, windows: Windows) -> Tensor:
    """``x [..., H, W]`` to ``[..., tops, lefts]``."""
    planes = x.reshape(-1, 1, *x.shape[-2:])
    rows = functional.avg_pool2d(planes, (windows.height, 1), 1)[:, :, list(windows.tops)]
    means = functional.avg_pool2d(rows, (1, windows.width), 1)[..., list(windows.lefts)]
    return means.reshape(*x.shape[:-2], len(windows.tops), len(windows.lefts))


def maximum_over(x: Tensor, windows: Windows) -> Tensor:
    """``x [..., H, W]`` to ``[..., tops, lefts]``."""
    planes = x.reshape(-1, 1, *x.shape[-2:])
    rows = functional.max_pool2d(planes, (windows.height, 1), 1)[:, :, list(windows.tops)]
    maxima = functional.max_pool2d(rows, (1, windows.width), 1)[..., list(windows.lefts)]
    return maxima.reshape(*x.shape[:-2], len(windows.tops), len(windows.lefts))


def log_sum_exp_over(x: Tensor, windows: Windows) -> Tensor:
    """``x [..., H, W]`` to ``[..., tops, lefts]``."""
    rows = torch.stack([x.narrow(-2, top, windows.height).logsumexp(-2) for top in windows.tops], -2)
    return torch.stack([rows.narrow(-1, left, windows.width).logsumexp(-1) for left in windows.lefts], -1)


def nearest(values: Tensor, extents: Sequence[int]) -> Tensor:
    """``[h, w, ...]`` at another resolution ``[H, W, ...]``: pixel i reads floor((i + 1/2) * h / H)."""
    for axis, extent in enumerate(extents):
        own = values.shape[axis]
        if own != extent:
            source = [(2 * pixel + 1) * own // (2 * extent) for pixel in range(extent)]
            values = values.index_select(axis, torch.tensor(source))
    return values
