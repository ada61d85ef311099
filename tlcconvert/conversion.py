"""What a conversion hands over: the ONNX model, the same network in PyTorch, and what was done and proven."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import onnx
from torch import nn
from torch.export import ExportedProgram

from passes.localize import LocalSite
from passes.result import PassResult, Rewrite, Skipped
from tlcconvert.diagnosis.diagnosis import Diagnosis
from tlcconvert.errors import InputError
from tlcconvert.lower.external_weights import ExternalWeights
from tlcconvert.output.exported_output import archive
from tlcconvert.output.write import Output, bytes_at, model_files, write_together
from tlcconvert.pipeline.journal import Entry, together
from tlcconvert.verification.parity import Parity


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

    def report(self) -> dict[str, Any]:
        """Everything above as plain data for a JSON file."""
        diagnosed = {} if self.diagnosis is None else {"diagnosis": self.diagnosis.summary()}
        return diagnosed | {
            "metadata": self.metadata,
            "localized": [
                _facts(site) | {"feature_size": site.map.feature_size, "window": site.map.window}
                for site in self.sites
            ],
            "folded": [vars(rewrite) for rewrite in self.folded.rewrites],
            "left_global": [vars(skipped) for skipped in self.left_global],
            "not_folded": [vars(skipped) for skipped in self.folded.skipped],
            "parity": [
                {
                    "what": row.what,
                    "size": [row.batch, row.height, row.width],
                    "relative_error": row.relative_error,
                    "bound": row.bound,
                    "passed": row.passed,
                    "note": row.note,
                    "proves": row.purpose,
                }
                for row in self.parity.comparisons
            ],
            "parity_notes": list(self.parity.notes),
            "seconds": self.seconds,
            "steps": [
                {
                    "name": entry.name,
                    "stage": entry.stage,
                    "seconds": entry.seconds,
                    "nodes": entry.nodes,
                    "rewrites": [_facts(rewrite) for rewrite in entry.result.rewrites],
                    "skipped": [vars(skipped) for skipped in entry.result.skipped],
                }
                for entry in self.journal
            ],
        }


def _facts(rewrite: Rewrite) -> dict[str, str]:
    """What every rewrite says of itself."""
    return {field.name: getattr(rewrite, field.name) for field in fields(Rewrite)}
