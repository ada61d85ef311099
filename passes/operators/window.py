"""The sizes every windowed operator shares.

A window of ``window`` pixels on an axis of ``size`` pixels covers ``k = min(window, size)`` of them. Only
full windows count, at stride 1: the *interior* is ``size - k + 1`` long, 1 where the window covers the axis.
"""

from __future__ import annotations

import torch

from passes.torch_internals.example_size import with_example_of_at_least


def effective(window: int, size: int) -> int:
    """k: the pixels the window covers on an axis of ``size`` pixels, which may be symbolic.

    Raises:
        ValueError: if ``window`` is less than 1.
    """
    if window < 1:
        raise ValueError(f"a window must be at least 1 pixel long, not {window}")
    return torch.sym_min(window, size)  # type: ignore[return-value]


def interior_like(x: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    """An uninitialised interior [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; H and W may be symbolic."""
    batch, channels, height, width = x.shape
    return x.new_empty(batch, channels, _interior(height, window_height), _interior(width, window_width))


def _interior(size: int, window: int) -> int:
    """``size - k + 1``; where symbolic, with a hint greater than 1.

    An interior is 1 long on an example that fits the window. Under that hint it would broadcast as a 1 into
    every later shape, and the graph would be right only up to the window; so the hint is that of a larger
    map. ``torch.export.export`` itself records its example as guards, and keeps the example's hint.
    """
    length = size - effective(window, size) + 1
    if not isinstance(length, torch.SymInt) or torch.compiler.is_exporting():
        return length
    return with_example_of_at_least(length, window + 1)
