"""docs/openvino.md, written from what was measured."""

from __future__ import annotations

import datetime
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.folding.document import processor
from benchmarks.interleaved import median_ratio
from benchmarks.latency.cells import cell, size
from benchmarks.latency.files import GLOBAL
from benchmarks.latency.subjects import Subject
from benchmarks.markdown_table import table

FOR_OPENVINO = "for OpenVINO"
DOCUMENT = Path(__file__).parents[2] / "docs" / "openvino.md"


@dataclass(frozen=True)
class Row:
    """Seconds of each round by kind of file, and the export of the global network that was the fastest."""

    subject: Subject
    seconds: Mapping[str, Sequence[float]]
    fastest: str


def document(rows: Sequence[Row]) -> str:
    rounds = len(rows[0].seconds[GLOBAL])
    return f"""\
# In OpenVINO

Local files in OpenVINO on the CPU, one thread, float32, against the fastest export of the global network
(`torch.onnx.export(dynamo=True)`, raw, onnxsim, onnxslim, onnxscript). Median over {rounds} rounds of the ratio
within a round, processor time. This page is written by `python -m benchmarks.openvino`.

Files made with `--target openvino` have norms over channels, pixel shuffles and squares as the network writes them.
The default file runs in OpenVINO too.

{table(("", "image", "global, ms", "--target openvino / global"), [cells(row) for row in rows])}

{notes(rows)}

Measured on {datetime.date.today().isoformat()}: {processor()}, Python {platform.python_version()},
openvino {version("openvino")}, torch {version("torch")}.
"""


def cells(row: Row) -> list[str]:
    milliseconds = statistics.median(row.seconds[GLOBAL]) * 1000
    ratio = median_ratio(row.seconds[FOR_OPENVINO], row.seconds[GLOBAL])
    return [row.subject.name, size(row.subject.size), f"{milliseconds:.0f}", cell(ratio)]


def notes(rows: Sequence[Row]) -> str:
    return "\n".join(
        f"- {row.subject.name}: {row.subject.note}; trained at {row.subject.train_size}; "
        f"fastest export: {row.fastest}."
        for row in rows
    )
