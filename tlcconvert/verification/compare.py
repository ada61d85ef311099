"""Two implementations of one network at the same images.

The error of a comparison is measured against the scale of the output. Where it exceeds the tolerance the float64
run decides (:mod:`tlcconvert.verification.float64`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnxruntime
import torch
from torch import nn

from tlcconvert.eager_reference import tensors_of
from tlcconvert.network_inputs import NetworkInputs
from tlcconvert.parity import Comparison, Parity
from tlcconvert.verification.float64 import distance, judged_in_float64, magnitude
from tlcconvert.verification.session import callable_of

TOLERANCE = 1e-5


def compare_session(
    session: onnxruntime.InferenceSession,
    reference: nn.Module,
    inputs: NetworkInputs,
    sizes: Sequence[tuple[int, int, int]],
    tolerance: float,
    what: str,
) -> Parity:
    """``session`` against ``reference`` at (batch, height, width) each; see :func:`verify`."""
    return compare_callables(callable_of(session), reference, inputs, sizes, tolerance, what)


def compare_callables(
    candidate: Any,
    reference: nn.Module,
    inputs: NetworkInputs,
    sizes: Sequence[tuple[int, int, int]],
    tolerance: float,
    what: str,
) -> Parity:
    """``candidate`` against ``reference`` at (batch, height, width) each.

    A size at which the reference raises or returns something that is not finite is noted, not compared.
    """
    return expected_at(reference, inputs, sizes, what).compare(candidate, tolerance)


@dataclass(frozen=True)
class Expected:
    """What a reference returns, kept so that the candidate need not be in memory at the same time.

    Attributes:
        what: of the comparisons, e.g. ``"onnx / converted"``.
        outputs: (batch, height, width), the images, and what the reference returns for them.
        notes: the sizes at which there is nothing to compare, and why.
    """

    what: str
    reference: nn.Module
    outputs: tuple[tuple[tuple[int, int, int], Sequence[torch.Tensor], Sequence[torch.Tensor]], ...]
    notes: tuple[str, ...]

    def compare(self, candidate: Any, tolerance: float) -> Parity:
        """``candidate`` against what was expected; the reference runs again where float64 has to judge."""
        comparisons: list[Comparison] = []
        for size, images, outputs in self.outputs:
            comparisons += _compare_outputs(
                candidate, self.reference, images, outputs, tolerance, self.what, size
            )
        return Parity(tuple(comparisons), self.notes)


def expected_at(
    reference: nn.Module, inputs: NetworkInputs, sizes: Sequence[tuple[int, int, int]], what: str
) -> Expected:
    """Runs ``reference`` at (batch, height, width) each, on images that are the same on every call."""
    outputs = []
    notes: list[str] = []
    for seed, size in enumerate(sizes):
        images = inputs.random(*size, seed=seed)
        label = "x".join(map(str, size))
        try:
            expected = tensors_of(reference(*(image.clone() for image in images)))
        except Exception as error:
            notes.append(f"{what} at {label} not compared: the reference raises {_first_line(error)}")
            continue
        if not all(bool(tensor.isfinite().all()) for tensor in expected):
            notes.append(f"{what} at {label} not compared: the reference returns values that are not finite")
            continue
        outputs.append((size, images, expected))
    return Expected(what, reference, tuple(outputs), tuple(notes))


def _compare_outputs(
    candidate: Any,
    reference: nn.Module,
    images: Sequence[torch.Tensor],
    expected: Sequence[torch.Tensor],
    tolerance: float,
    what: str,
    size: tuple[int, int, int],
) -> list[Comparison]:
    try:
        with torch.no_grad():
            computed = tensors_of(candidate(*(image.clone() for image in images)))
    except Exception as error:
        return [Comparison(what, *size, math.nan, 1.0, tolerance, f"it raises {_first_line(error)}")]
    if [tensor.shape for tensor in computed] != [tensor.shape for tensor in expected]:
        shapes = [[list(tensor.shape) for tensor in side] for side in (computed, expected)]
        return [Comparison(what, *size, math.nan, 1.0, tolerance, f"shapes {shapes[0]}, not {shapes[1]}")]
    rows = [
        Comparison(what, *size, distance(own, other), magnitude(other), tolerance)
        for own, other in zip(computed, expected, strict=True)
    ]
    if all(row.passed for row in rows):
        return rows
    return judged_in_float64(reference, images, computed, expected, tolerance, what, size, rows)


def _first_line(error: Exception) -> str:
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return f"{type(error).__name__}: {lines[0]}"
