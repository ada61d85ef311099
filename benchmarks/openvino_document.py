"""docs/openvino.md, written from what was measured."""

from __future__ import annotations

import datetime
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.folding_document import processor, table
from benchmarks.interleaved import median_ratio
from benchmarks.latency_cells import cell, size
from benchmarks.latency_files import EXACT, GLOBAL
from benchmarks.latency_subjects import Subject

FOR_OPENVINO = "for OpenVINO"
DOCUMENT = Path(__file__).parents[1] / "docs" / "openvino.md"


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

- *default*: the file for onnxruntime, in OpenVINO.
- *--target openvino*: norms over channels, pixel shuffles and squares as the network writes them.

{table(("", "image", "global, ms", "default / global", "--target openvino / global"), [cells(row) for row in rows])}

{notes(rows)}

OpenVINO loses by a mean over channels as the product of a row with a matrix, and by a pixel shuffle in two steps;
onnxruntime gains by both.

Measured on {datetime.date.today().isoformat()}: {processor()}, Python {platform.python_version()},
openvino {version("openvino")}, torch {version("torch")}.
"""


def cells(row: Row) -> list[str]:
    milliseconds = statistics.median(row.seconds[GLOBAL]) * 1000
    ratios = [median_ratio(row.seconds[kind], row.seconds[GLOBAL]) for kind in (EXACT, FOR_OPENVINO)]
    return [row.subject.name, size(row.subject.size), f"{milliseconds:.0f}", *map(cell, ratios)]


def notes(rows: Sequence[Row]) -> str:
    return "\n".join(
        f"- {row.subject.name}: {row.subject.note}; trained at {row.subject.train_size}; "
        f"fastest export: {row.fastest}."
        for row in rows
    )
