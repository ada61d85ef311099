"""Local statistics without running sums, for runtimes that go through a sum one element after the other.

    Given    y = tlc::local_mean(x [N, C, 480, 640], 96, 96)
    Result   y = matmul(matmul(B [385, 480], x), D [640, 545])

Every map has a fixed size here, so a window sum can be a product with a matrix of zeros and ones, and everything is
float32: such runtimes know no float64 either.
"""

from __future__ import annotations

from passes.fixed_size.program import FIXED_SIZE, without_running_sums

__all__ = ["FIXED_SIZE", "without_running_sums"]
