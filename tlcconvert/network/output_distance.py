"""How far an output is from another of the same shape: what every comparison of this tool measures."""

from __future__ import annotations

import math

import torch
from torch import Tensor

TOLERANCE = 1e-5
"""The largest distance that passes, over the magnitude of the output."""


def distance(a: Tensor, b: Tensor) -> float:
    """The largest absolute difference, in double precision; NaN where one is."""
    return float((wide(a) - wide(b)).abs().max()) if a.numel() else 0.0


def magnitude(tensor: Tensor) -> float:
    """The largest absolute value, in double precision."""
    return float(wide(tensor).abs().max()) if tensor.numel() else 0.0


def root_mean_square(a: Tensor, b: Tensor) -> float:
    """That of the differences of real numbers, in double precision; NaN where one is."""
    return math.sqrt(float((a.double() - b.double()).square().mean()))


def psnr(error: float, scale: float) -> float:
    """``scale`` over the root mean square ``error``, in dB; NaN where an error is."""
    if not error:
        return math.inf
    quotient = scale / error
    return 20 * math.log10(quotient) if quotient else -math.inf


def wide(tensor: Tensor) -> Tensor:
    """``tensor`` in double precision, real or complex."""
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)
