"""Resampling one axis: each new row is a weighted sum of a few rows, its *taps*.

    y[i] = sum over t of  weight[i, t] * x[tap[i, t]]

How many taps there are is a number where the factor is, and a size the file works out where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onnxscript import ir

from tlcconvert.lower.forms.opset import integers, op

_FEW = 4


@dataclass(frozen=True)
class Taps:
    """Which rows make a new one.

    Attributes:
        rows: int64 [target, T], each a row of the map.
        weights: float32 [target, T].
        count: T where it is known.
    """

    rows: ir.Value
    weights: ir.Value
    count: int | None = None


def resampled(x: Any, axis: int, behind: int, taps: Taps) -> Any:
    """x with ``axis`` replaced by the weighted sums of ``taps``, float32; ``behind`` axes come after it."""
    if taps.count is not None and taps.count <= _FEW:
        parts = [_product(x, axis, behind, taps, position) for position in range(taps.count)]
        total = parts[0]
        for part in parts[1:]:
            total = op.Add(total, part)
        return total
    weights = op.Unsqueeze(taps.weights, integers(*range(2, 2 + behind))) if behind else taps.weights
    gathered = op.Mul(op.Gather(x, taps.rows, axis=axis), weights)
    return op.ReduceSum(gathered, integers(axis + 1), keepdims=0)


def _product(x: Any, axis: int, behind: int, taps: Taps, position: int) -> Any:
    at = op.Constant(value_int=position)
    rows, weights = (op.Gather(part, at, axis=1) for part in (taps.rows, taps.weights))
    if behind:
        weights = op.Unsqueeze(weights, integers(*range(1, 1 + behind)))
    return op.Mul(op.Gather(x, rows, axis=axis), weights)
