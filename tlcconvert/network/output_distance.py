"""How far an output is from another of the same shape: what every comparison of this tool measures."""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCE = 1e-5
"""The largest distance that passes, over the magnitude of the output."""


def distance(a: Tensor, b: Tensor) -> float:
    """The largest absolute difference, in double precision; NaN where one is."""
    return float((_wide(a) - _wide(b)).abs().max()) if a.numel() else 0.0


def magnitude(tensor: Tensor) -> float:
    """The largest absolute value, in double precision."""
    return float(_wide(tensor).abs().max()) if tensor.numel() else 0.0


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)
