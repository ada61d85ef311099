"""PyTorch's extent of a map resized by a factor, ``floor(n * factor)`` in double, in standard ONNX operators."""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from onnxscript import ir

from tlcconvert.lower.forms.opset import integers, op

LONGEST = 2**16
"""Pixels up to which a whole-number form was compared with the form in double, one by one."""

_DENOMINATORS = 1000, 2**30
"""Up to the first, runtimes that compute in 32 bits hold the products."""


def scaled_extent(extent: Any, factor: float) -> Any:
    """``floor(extent * factor)`` of extent int64 [1], as PyTorch computes it.

    In whole numbers where that is the same up to 65536 pixels: float32, in which some runtimes compute
    everything, holds no product exactly.
    """
    ratio = whole_ratio(factor)
    if ratio is None:
        product = op.Mul(op.Cast(extent, to=ir.DataType.DOUBLE), doubles(factor))
        return op.Cast(op.Floor(product), to=ir.DataType.INT64)
    numerator, denominator = ratio
    product = extent if numerator == 1 else op.Mul(extent, integers(numerator))
    return product if denominator == 1 else op.Div(product, integers(denominator))


@functools.cache
def whole_ratio(factor: float) -> tuple[int, int] | None:
    """p and q with ``floor(n * factor) == n * p // q`` for every n up to 65536; None where there are none."""
    return whole_ratio_of(lambda n: np.floor(n * factor), factor)


def whole_ratio_of(extents: Callable[[Any], Any], slope: float) -> tuple[int, int] | None:
    """p and q, near ``slope``, with ``extents(n) == n * p // q`` for every n up to 65536, else None."""
    n = np.arange(LONGEST + 1)
    expected = extents(n.astype(np.float64))
    for largest in _DENOMINATORS:
        ratio = Fraction(slope).limit_denominator(largest)
        if np.array_equal(expected, n * ratio.numerator // ratio.denominator):
            return ratio.numerator, ratio.denominator
    return None


@functools.cache
def quotient_of(factor: float) -> tuple[int, int]:
    """p and q, as small as they can be for products of p / q and of ``factor`` with 65536 to agree to 1e-6."""
    ratios = (Fraction(factor).limit_denominator(largest) for largest in (*_DENOMINATORS, 2**40))
    ratio = next(ratio for ratio in ratios if abs(ratio - Fraction(factor)) * LONGEST <= 1e-6)
    return ratio.numerator, ratio.denominator


def doubles(*values: float) -> Any:
    """A constant float64 vector."""
    return op.Constant(value=ir.tensor(np.array(values, np.float64)))
