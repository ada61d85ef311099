"""What a conversion hands over: the ONNX model, the same network in PyTorch, and what was done and proven."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import onnx
from torch import nn
from torch.export import ExportedProgram

from passes.localize import LocalSite
from passes.result import PassResult, Rewrite, Skipped
from tlcconvert.diagnosis.diagnosis import Diagnosis
from tlcconvert.errors import InputError
from tlcconvert.lower.external_weights import ExternalWeights
from tlcconvert.output.exported_output import archive
from tlcconvert.output.report_schema import (
    SCHEMA,
    Compared,
    Cost,
    Diagnosed,
    DiagnosisSummary,
    Histogram,
    Left,
    LocalStatistic,
    Report,
    Rewritten,
    Run,
    Step,
)
from tlcconvert.output.write import Output, bytes_at, model_files, write_together
from tlcconvert.pipeline.journal import Entry, together
from tlcconvert.verification.cost_of_a_run import CostChange, CostOfARun
from tlcconvert.verification.error_histogram import ErrorHistogram
from tlcconvert.verification.parity import Comparison, Parity


@dataclass(frozen=True)
class Conversion:
    """A converted and verified network.

    Attributes:
        model: the ONNX model.
        module: the converted network in eager PyTorch: [N, C, H, W] float32 in, flattened outputs; float32 also
            where the model is float16.
        journal: every step that was run, with what it did.
        left_global: statistics that still depend on the whole image, with the reason.
        parity: the comparisons the model passed.
        metadata: what the file says about itself.
        seconds: time spent per stage, in pipeline order.
        weights: where the weights are if they exceed what one ONNX file holds; ``model`` then refers to them.
        program: the converted network for ``torch.export.save`` and AOTInductor, where it was asked for
            (``exported_program=True``, or an output that ends in ``.pt2``).
        diagnosis: what images said of the network, where it was diagnosed before (``tlcconvert diagnose -o``).
        cost_file: the content of the file ``RoutingOptions.calibrate`` asks for, or ``""``.
        original: the network it was made from, called like ``module``, with the file's outputs and padding; it reads
            the weights of the network that was converted.
        cost: multiply-adds, memory and weights before and after; None for a ClassSR, whose cost is the image's.
    """

    model: onnx.ModelProto
    module: nn.Module
    journal: tuple[Entry, ...]
    left_global: tuple[Skipped, ...]
    parity: Parity
    metadata: dict[str, str]
    seconds: dict[str, float]
    weights: ExternalWeights | None = None
    program: ExportedProgram | None = None
    diagnosis: Diagnosis | None = None
    cost_file: str = ""
    original: nn.Module | None = None
    cost: CostChange | None = None

    @property
    def rewrites(self) -> tuple[Rewrite, ...]:
        """Everything that was changed, in the order it was."""
        return tuple(rewrite for entry in self.journal for rewrite in entry.result.rewrites)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Everything that was recognised and left alone."""
        return tuple(skipped for entry in self.journal for skipped in entry.result.skipped)

    @property
    def sites(self) -> tuple[LocalSite, ...]:
        """Every statistic that is local now, with its feature map and window."""
        return tuple(rewrite for rewrite in self.rewrites if isinstance(rewrite, LocalSite))

    @property
    def folded(self) -> PassResult:
        """What the exact simplifications did."""
        return together([entry.result for entry in self.journal if entry.stage == "fold"])

    def save(self, path: str | os.PathLike[str]) -> int:
        """Writes the file atomically; returns its size in bytes, that of a data file beside it included.

        A path that ends in ``.pt2`` gets the exported program, any other the ONNX model.

        Raises:
            InputError: the place cannot be written to; an existing file is untouched.
        """
        return sum(write_together(self.files(Path(path))))

    def files(self, path: Path) -> list[Output]:
        """What :meth:`save` writes, for callers who write more files, all or none.

        Raises:
            InputError: nothing can be written to ``path``.
        """
        if path.suffix != ".pt2":
            return model_files(self.model, path, self.weights)
        if self.program is None:
            raise InputError("A .pt2 file needs the exported program: convert with exported_program=True.")
        return [bytes_at(path, archive(self.program, self.metadata))]

    def report(self) -> Report:
        """Everything above as plain data for a JSON file; ``docs/report.md`` says what each key means."""
        report: Report = {
            "schema": SCHEMA,
            "metadata": self.metadata,
            "localized": [self._local(site) for site in self.sites],
            "folded": [_rewritten(rewrite) for rewrite in self.folded.rewrites],
            "left_global": [_left(skipped) for skipped in self.left_global],
            "not_folded": [_left(skipped) for skipped in self.folded.skipped],
            "parity": [_compared(row) for row in self.parity.comparisons],
            "parity_notes": list(self.parity.notes),
            "cost": None if self.cost is None else _cost(self.cost),
            "seconds": self.seconds,
            "steps": [_step(entry) for entry in self.journal],
        }
        if self.diagnosis is not None:
            report["diagnosis"] = _diagnosed(self.diagnosis)
        return report

    def _local(self, site: LocalSite) -> LocalStatistic:
        train_size: list[int] = json.loads(self.metadata["train_size"])
        in_image = [
            window * train // max(feature, 1)
            for window, train, feature in zip(site.map.window, train_size, site.map.feature_size, strict=True)
        ]
        return {
            **_rewritten(site),
            "feature_size": list(site.map.feature_size),
            "window": list(site.map.window),
            "window_in_image": in_image,
        }


def _diagnosed(diagnosis: Diagnosis) -> Diagnosed:
    return {
        **cast(DiagnosisSummary, diagnosis.summary()),
        "sentence": diagnosis.sentence,
        "explanation": list(diagnosis.explanation),
    }


def _rewritten(rewrite: Rewrite) -> Rewritten:
    return {
        "kind": rewrite.kind,
        "where": rewrite.where,
        "before": rewrite.before,
        "after": rewrite.after,
        "note": rewrite.note,
    }


def _left(skipped: Skipped) -> Left:
    return {"kind": skipped.kind, "where": skipped.where, "reason": skipped.reason}


def _step(entry: Entry) -> Step:
    return {
        "name": entry.name,
        "stage": entry.stage,
        "seconds": entry.seconds,
        "nodes": entry.nodes,
        "rewrites": [_rewritten(rewrite) for rewrite in entry.result.rewrites],
        "skipped": [_left(skipped) for skipped in entry.result.skipped],
    }


def _compared(row: Comparison) -> Compared:
    return {
        "what": row.what,
        "size": [row.batch, row.height, row.width],
        "error": row.error,
        "scale": row.magnitude,
        "relative_error": row.relative_error,
        "bound": row.bound,
        "passed": row.passed,
        "note": row.note,
        "proves": row.purpose,
        "histogram": None if row.histogram is None else _histogram(row.histogram),
    }


def _histogram(histogram: ErrorHistogram) -> Histogram:
    return {
        "equal": histogram.equal,
        "not_finite": histogram.not_finite,
        "first": histogram.first,
        "counts": list(histogram.counts),
    }


def _cost(cost: CostChange) -> Cost:
    return {"before": _run(cost.before), "after": _run(cost.after)}


def _run(run: CostOfARun) -> Run:
    return {
        "size": [run.height, run.width],
        "multiply_adds": run.multiply_adds,
        "feature_map_bytes": run.feature_map_bytes,
        "weights": run.weights,
    }
