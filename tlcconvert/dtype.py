"""What a file computes in, and what it takes and returns."""

from __future__ import annotations

from enum import StrEnum


class Dtype(StrEnum):
    """The type of real numbers.

    In a file of ``FLOAT16`` weights and most operations are half precision; statistics, norms and softmax stay
    float32 (:mod:`passes.precision`).
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
