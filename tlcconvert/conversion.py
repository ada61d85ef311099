"""What a conversion hands over: the ONNX model, the same network in PyTorch, and what was done and proven."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from torch import nn

from passes.localize import LocalSite
from passes.result import PassResult, Rewrite, Skipped
from tlcconvert.parity import Parity
from tlcconvert.write import write_model


@dataclass(frozen=True)
class Conversion:
    """A converted and verified network.

    Attributes:
        model: the ONNX model.
        module: the converted network in eager PyTorch: [N, C, H, W] float32 in, flattened outputs.
        sites: every statistic that is local now, with its feature map and window.
        folded: what the exact simplifications did.
        left_global: statistics that still depend on the whole image, with the reason.
        parity: the comparisons the model passed.
        metadata: what the file says about itself.
        seconds: time spent per stage, in pipeline order.
    """

    model: onnx.ModelProto
    module: nn.Module
    sites: tuple[LocalSite, ...]
    folded: PassResult
    left_global: tuple[Skipped, ...]
    parity: Parity
    metadata: dict[str, str]
    seconds: dict[str, float]

    @property
    def rewrites(self) -> tuple[Rewrite, ...]:
        """Everything that was changed: exact folds first, then the statistics that became local."""
        return self.folded.rewrites + tuple(site.rewrite for site in self.sites)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Everything that was recognised and left alone."""
        return self.folded.skipped + self.left_global

    def save(self, path: str | os.PathLike[str]) -> int:
        """Writes the ONNX file atomically; returns its size in bytes.

        Raises:
            InputError: the place cannot be written to; an existing file is untouched.
        """
        return write_model(self.model, Path(path))

    def report(self) -> dict[str, Any]:
        """Everything above as plain data for a JSON file."""
        return {
            "metadata": self.metadata,
            "localized": [
                vars(site.rewrite) | {"feature_size": site.map.feature_size, "window": site.map.window}
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
                }
                for row in self.parity.comparisons
            ],
            "parity_notes": list(self.parity.notes),
            "seconds": self.seconds,
        }
