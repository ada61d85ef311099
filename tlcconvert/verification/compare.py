"""Two implementations of one network at the same images.

The error of a comparison is measured against the scale of the output: its largest value at this image or, where the
error is too large for that, at a few images of the same size, a photograph among them. Where it still exceeds the
tolerance the float64 run decides (:mod:`tlcconvert.verification.float64`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tlcconvert.errors import first_line
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import distance, magnitude
from tlcconvert.verification.error_histogram import error_histogram
from tlcconvert.verification.float64 import Float64Judge
from tlcconvert.verification.images import noise, photograph
from tlcconvert.verification.parity import Comparison, Parity

Candidate = Callable[..., object]
"""Called with the images; what it returns is flattened as :func:`tensors_of` does."""


@dataclass(frozen=True)
class Trial:
    """One image to compare at.

    Attributes:
        size: batch, height and width in pixels.
        purpose: what a comparison there proves, in a few words.
        is_photograph: a photograph instead of noise.
    """

    size: tuple[int, int, int]
    purpose: str = ""
    is_photograph: bool = False

    def images(self, inputs: NetworkInputs, seed: int) -> tuple[Tensor, ...]:
        return photograph(inputs, *self.size) if self.is_photograph else noise(inputs, *self.size, seed)


@dataclass(frozen=True)
class Outcome:
    """What a reference returned for the images of one trial."""

    trial: Trial
    images: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def compare_callables(
    candidate: Candidate,
    reference: nn.Module,
    inputs: NetworkInputs,
    sizes: Sequence[tuple[int, int, int]],
    tolerance: float,
    what: str,
) -> Parity:
    """``candidate`` against ``reference`` at noise of (batch, height, width) each.

    A size at which the reference raises or returns something that is not finite is noted, not compared.
    """
    return expected_at(reference, inputs, [Trial(size) for size in sizes], what).compare(candidate, tolerance)


@dataclass(frozen=True)
class Expected:
    """What a reference returns, kept so that the candidate need not be in memory at the same time.

    Attributes:
        what: of the comparisons, e.g. ``"onnx / converted"``.
        inputs: what the reference takes.
        outcomes: the trials at which there is something to compare.
        notes: those at which there is not, and why.
    """

    what: str
    reference: nn.Module
    inputs: NetworkInputs
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]

    def compare(self, candidate: Candidate, tolerance: float) -> Parity:
        """``candidate`` against what was expected; the reference runs again where float64 has to judge."""
        judge = Float64Judge(self.reference)
        comparisons = [
            row for outcome in self.outcomes for row in self._rows(candidate, outcome, tolerance, judge)
        ]
        return Parity(tuple(comparisons), self.notes)

    def _rows(
        self, candidate: Candidate, outcome: Outcome, tolerance: float, judge: Float64Judge
    ) -> list[Comparison]:
        trial, expected = outcome.trial, outcome.outputs

        def row(error: float, scale: float, note: str = "", bound: float = tolerance) -> Comparison:
            return Comparison(self.what, *trial.size, error, scale, bound, note, trial.purpose)

        try:
            with torch.no_grad():
                computed = tensors_of(candidate(*(image.clone() for image in outcome.images)))
        except Exception as error:
            raised = first_line(error)
            return [replace(row(math.nan, 1.0, f"it raises {raised}"), raised=raised)]
        if [tensor.shape for tensor in computed] != [tensor.shape for tensor in expected]:
            shapes = [[list(tensor.shape) for tensor in side] for side in (computed, expected)]
            return [row(math.nan, 1.0, f"shapes {shapes[0]}, not {shapes[1]}")]
        kinds = [[_kind(tensor) for tensor in side] for side in (computed, expected)]
        if kinds[0] != kinds[1]:
            return [row(math.nan, 1.0, f"{_listed(kinds[0])} numbers, not {_listed(kinds[1])}")]
        rows = [
            replace(
                row(
                    distance(own, other),
                    magnitude(other),
                    bound=tolerance if other.is_floating_point() else 0.0,
                ),
                histogram=error_histogram(own, other),
            )
            for own, other in zip(computed, expected, strict=True)
        ]
        if all(each.passed for each in rows):
            return rows
        rows = self._against_a_few_images(rows, trial)
        if all(each.passed for each in rows):
            return rows
        return judge.judged(rows, outcome.images, computed, expected, tolerance)

    def _against_a_few_images(self, rows: list[Comparison], trial: Trial) -> list[Comparison]:
        """``rows`` with the scale of each output that failed taken over more images of the same size."""
        scales = [row.magnitude for row in rows]
        for number, other in enumerate(
            (replace(trial, is_photograph=True), replace(trial, is_photograph=False))
        ):
            try:
                outputs = tensors_of(self.reference(*other.images(self.inputs, seed=1000 + number)))
            except Exception:
                continue
            if len(outputs) == len(scales):
                scales = [
                    max(scale, magnitude(output)) if output.isfinite().all() else scale
                    for scale, output in zip(scales, outputs, strict=True)
                ]
        return [
            row
            if row.passed or scale == row.magnitude or math.isnan(row.error)
            else replace(row, magnitude=scale, note="of the scale over a few images")
            for row, scale in zip(rows, scales, strict=True)
        ]


def expected_at(reference: nn.Module, inputs: NetworkInputs, trials: Sequence[Trial], what: str) -> Expected:
    """Runs ``reference`` at each trial, on images that are the same on every call."""
    outcomes = []
    notes: list[str] = []
    for seed, trial in enumerate(trials):
        images = trial.images(inputs, seed)
        label = "x".join(map(str, trial.size))
        try:
            outputs = tensors_of(reference(*(image.clone() for image in images)))
        except Exception as error:
            notes.append(f"{what} at {label} not compared: the reference raises {first_line(error)}")
            continue
        if not all(bool(tensor.isfinite().all()) for tensor in outputs):
            notes.append(f"{what} at {label} not compared: the reference returns values that are not finite")
            continue
        outcomes.append(Outcome(trial, images, outputs))
    if outcomes and not any(magnitude(output) for outcome in outcomes for output in outcome.outputs):
        notes.append(f"{what}: the reference returns 0 at every image, so nothing but that is proven")
    return Expected(what, reference, inputs, tuple(outcomes), tuple(notes))


def _kind(tensor: Tensor) -> str:
    if tensor.is_complex():
        return "complex"
    return "real" if tensor.is_floating_point() else "whole"


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(kinds) or "no"
