"""The judge of networks that amplify rounding: the reference once more in float64.

Where PyTorch's own float32 result is as far from the float64 one, a result passes with that distance as its bound,
and the table says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from tlcconvert.eager_reference import tensors_of
from tlcconvert.parity import Comparison
from tlcconvert.verification.float64_copy import float64_copy

_ILL_CONDITIONED = 4.0
_MOST = 1e-3


def judged_in_float64(
    reference: nn.Module,
    images: Sequence[torch.Tensor],
    computed: Sequence[torch.Tensor],
    expected: Sequence[torch.Tensor],
    tolerance: float,
    what: str,
    size: tuple[int, int, int],
    rows: list[Comparison],
) -> list[Comparison]:
    """Both results against the reference in float64; ``rows`` where it has none."""
    try:
        double = float64_copy(reference)
        with torch.no_grad():
            exact = tensors_of(double(*(image.double() for image in images)))
    except Exception:
        return rows
    judged = []
    for row, own, other, truth in zip(rows, computed, expected, exact, strict=True):
        rounding = distance(other, truth) / max(magnitude(truth), 1e-300)
        if row.passed or truth.dtype != torch.float64 or not rounding > tolerance / _ILL_CONDITIONED:
            judged.append(row)
            continue
        bound = min(_ILL_CONDITIONED * rounding, _MOST)
        note = f"against float64, from which PyTorch's own float32 is {rounding:.0e} away"
        judged.append(Comparison(what, *size, distance(own, truth), magnitude(truth), bound, note))
    return judged


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b.double()).abs().max()) if a.numel() else 0.0


def magnitude(tensor: torch.Tensor) -> float:
    return float(tensor.double().abs().max()) if tensor.numel() else 0.0
