"""When what a runtime computes is right."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.latency.subjects import Subject
from benchmarks.runtimes.runtimes import FLOAT16, FLOAT32
from benchmarks.runtimes.subjects import MULTIPLE, window_of
from tlcconvert.network.output_distance import TOLERANCE, distance, magnitude, psnr, root_mean_square
from tlcconvert.verification.float64_copy import float64_copy

ROUNDINGS = 4.0
MOST = 1e-3
"""An output in float32 may be four times as far from float64 as PyTorch's own float32 is, and at most this far."""
HALF_DECIBELS = 70.0
LOST_DECIBELS = 1.0
"""What an output in half precision keeps, or else what it may keep less than the stock export does."""
TWICE_DECIBELS = 3.0
"""In float16, what it may keep less than is left of an image that is itself rounded: as much noise again."""


@dataclass(frozen=True)
class Verdict:
    """One output of a runtime, or why there is none.

    Attributes:
        image: the name of the image.
        precision: what the runtime computed in.
        error: largest deviation from float64, of the largest value; NaN where a value is none.
        decibels: 20 log10 of the largest value over the root mean square deviation.
        wanted: the bound, an error in float32 and decibels otherwise.
        failure: why there is no output.
    """

    image: str
    precision: str
    error: float = math.nan
    decibels: float = math.nan
    wanted: float = math.nan
    failure: str = ""

    @property
    def is_right(self) -> bool:
        if self.failure:
            return False
        return self.error <= self.wanted if self.precision == FLOAT32 else self.decibels >= self.wanted

    @property
    def text(self) -> str:
        if self.failure:
            return self.failure
        if math.isnan(self.error):
            return "NaN"
        return f"{self.error:.0e}" if self.precision == FLOAT32 else f"{self.decibels:.0f} dB"


def verdict(
    image: str,
    precision: str,
    output: Tensor,
    exact: Tensor,
    rounding: float,
    stock: float | None,
    halved: float = math.inf,
) -> Verdict:
    """Compares ``output`` with ``exact``.

    Args:
        rounding: what PyTorch's float32 loses in the network itself, :func:`rounding_of`.
        stock: decibels that the stock export keeps in this runtime, NaN if it does not run; None if this is the
            stock export, whose half precision is the measure and not measured.
        halved: decibels that are left where nothing but the image is rounded to float16.
    """
    if output.shape != exact.shape:
        shapes = " for ".join("x".join(map(str, tensor.shape)) for tensor in (output, exact))
        return Verdict(image, precision, failure=f"{shapes} values")
    error = distance(output, exact) / magnitude(exact)
    wanted = _wanted(precision, rounding, stock, halved)
    return Verdict(image, precision, error, decibels(output, exact), wanted)


def decibels(output: Tensor, exact: Tensor) -> float:
    """The largest value over the root mean square deviation."""
    return psnr(root_mean_square(output, exact), magnitude(exact))


def _wanted(precision: str, rounding: float, stock: float | None, halved: float) -> float:
    if precision == FLOAT32:
        return min(MOST, max(TOLERANCE, ROUNDINGS * rounding))
    if stock is None:
        return 0.0
    if precision == FLOAT16:
        known = [bound for bound in (stock - LOST_DECIBELS, halved - TWICE_DECIBELS) if not math.isnan(bound)]
        return min(HALF_DECIBELS, *known)
    return HALF_DECIBELS if math.isnan(stock) else stock - LOST_DECIBELS


def rounding_of(subject: Subject, pixels: Tensor) -> float:
    """What PyTorch's float32 loses in the network itself: from float64, on crops no larger than the window.

    Of the largest value; the worst of the four corners and the middle.
    """
    network = subject.network()
    double = float64_copy(network)
    height, width = (min(extent, window_of(subject)) // MULTIPLE * MULTIPLE for extent in pixels.shape[2:])
    down, right = pixels.shape[2] - height, pixels.shape[3] - width
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    crops = [pixels[:, :, top : top + height, left : left + width] for top, left in corners]
    with torch.no_grad():
        return max(_loss(network, double, crop) for crop in crops)


def _loss(network: nn.Module, double: nn.Module, crop: Tensor) -> float:
    exact = double(crop.double())
    return distance(network(crop), exact) / magnitude(exact)
