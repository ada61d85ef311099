"""A program that decomposes itself in its own way where the ONNX exporter asks it to.

The exporter calls ``run_decompositions`` with the table of the operators it has no ONNX form for, and that traces the
whole program a second time, whether or not one of them is in it, which takes as long as the capture.

Stands on torch 2.14.1, ``torch/onnx/_internal/exporter/_fx_passes.py``, line 19, the one call of
``run_decompositions`` in an export of an ``ExportedProgram``, which finds what the program itself holds first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch.export import ExportedProgram

Table = Mapping[Any, Callable[..., Any]]


def decompose_by(program: ExportedProgram, decompose: Callable[[Table], ExportedProgram]) -> None:
    """Lets ``decompose`` answer for ``program.run_decompositions``, in place."""
    vars(program)["run_decompositions"] = decompose
