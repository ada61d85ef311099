"""The judge of networks that amplify rounding: the reference once more in float64.

Where PyTorch's own float32 result is as far from the float64 one, a result passes with that distance as its bound,
and the table says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.output_distance import distance, magnitude
from tlcconvert.verification.error_histogram import error_histogram
from tlcconvert.verification.float64_copy import float64_copy
from tlcconvert.verification.parity import Comparison

_ILL_CONDITIONED = 4.0
_MOST = 1e-3


@dataclass
class Float64Judge:
    """Judges results of ``reference`` by its run in float64; the copy is made when it is first needed."""

    reference: nn.Module
    _copy: nn.Module | None = None

    def judged(
        self,
        rows: Sequence[Comparison],
        images: Sequence[Tensor],
        computed: Sequence[Tensor],
        expected: Sequence[Tensor],
        tolerance: float,
    ) -> list[Comparison]:
        """``rows`` with those that failed replaced by the distance of ``computed`` from the float64 run.

        A row is left as it is where PyTorch's float32 is near the float64 run, or there is none. The bound is at
        most four times PyTorch's own distance, and at most 1e-3.

        Args:
            rows: one per output: ``computed`` against ``expected``; ``magnitude`` is the scale of that output.
            images: the inputs, float32.
        """
        try:
            if self._copy is None:
                self._copy = float64_copy(self.reference)
            with torch.no_grad():
                exact = tensors_of(self._copy(*(image.double() for image in images)))
        except Exception:
            return list(rows)
        results = zip(rows, computed, expected, exact, strict=True)
        return [_judged(*result, tolerance) for result in results]


def _judged(row: Comparison, own: Tensor, other: Tensor, truth: Tensor, tolerance: float) -> Comparison:
    scale = max(row.magnitude, magnitude(truth))
    if row.passed or truth.dtype != torch.float64 or not scale:
        return row
    rounding = distance(other, truth) / scale
    if not rounding > tolerance / _ILL_CONDITIONED:
        return row
    bound = min(_ILL_CONDITIONED * rounding, _MOST)
    note = f"against float64, from which PyTorch's own float32 is {rounding:.0e} away"
    return replace(
        row,
        error=distance(own, truth),
        magnitude=scale,
        bound=bound,
        note=note,
        histogram=error_histogram(own, truth),
    )
