"""The windows of an attention along one axis, side by side, and the way back to its pixels.

    n = ceil(size / window)                       windows of k = min(window, size) pixels
    step = ceil((size - k) / (n - 1))             window i starts at min(i * step, size - k)

    pixel p is covered by the windows from    number of windows that end before p
                                         to    number of windows that start up to p, less 1

which are one or two. Pixel p of window i stands at i * k + p - start of i in the windows side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from passes.words.aten import larger, numbers, smaller

aten = torch.ops.aten


@dataclass(frozen=True)
class WindowAxis:
    """An axis of ``size`` pixels under ``windows`` windows of ``k`` pixels.

    Attributes:
        pixels: int64 [windows * k], the pixels of all windows side by side.
        first, last: int64 [size], where a pixel stands there in the first and in the last window covering it.
    """

    windows: int
    k: int
    pixels: Tensor
    first: Tensor
    last: Tensor


def window_axis(size: int, window: int) -> WindowAxis:
    """The windows of at most ``window`` pixels along an axis of ``size`` pixels."""
    k = smaller(size, window)
    n = (size + (window - 1)) // window
    free, gaps = size - k, larger(n - 1, 1)
    step = (free + gaps - 1) // gaps
    starts = aten.clamp.default(aten.mul.Tensor(numbers(n), step), None, free)
    pixels = aten.add.Tensor(aten.unsqueeze.default(starts, 1), numbers(k))
    pixel = numbers(size)
    ended, begun = (
        aten.sum.dim_IntList(aten.le.Tensor(bounds, aten.unsqueeze.default(pixel, 1)), [1])
        for bounds in (aten.add.Tensor(starts, k), starts)
    )
    first, last = (_place(pixel, window_of, starts, k) for window_of in (ended, aten.sub.Tensor(begun, 1)))
    return WindowAxis(n, k, aten.flatten.using_ints(pixels), first, last)


def _place(pixel: Tensor, window_of: Tensor, starts: Tensor, k: int) -> Tensor:
    inside = aten.sub.Tensor(pixel, aten.index_select.default(starts, 0, window_of))
    return aten.add.Tensor(aten.mul.Tensor(window_of, k), inside)
