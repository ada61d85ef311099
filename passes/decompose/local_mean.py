"""``tlc::local_mean`` in ATen: window sums in difference form over kh * kw."""

from __future__ import annotations

import torch
from torch import Tensor

from passes.decompose.box_sum import area, box_sum

aten = torch.ops.aten


def local_mean(x: Tensor, window_height: int, window_width: int) -> Tensor:
    """Interior of windowed means [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]."""
    if window_height == window_width == 1:
        return aten.clone.default(x)
    return aten.div.Tensor(box_sum(x, window_height, window_width), area(x, window_height, window_width))
