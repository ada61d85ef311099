"""docs/conversion.md, written from what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.conversion.measurement import TRAIN_SIZE, Row
from benchmarks.conversion.memory import Memory
from benchmarks.folding.document import machine
from benchmarks.interleaved import median_ratio
from benchmarks.markdown_table import table

DOCUMENT = Path(__file__).parents[2] / "docs" / "conversion.md"


def document(rows: Sequence[Row], memory: Memory, repeats: int) -> str:
    beside = memory.peak - 1e9
    return f"""\
# The cost of a conversion

This page is written by `python -m benchmarks.conversion`.

## Time

A conversion (capture, passes, lowering, writing) beside `torch.onnx.export(dynamo=True)` of the same network at its
defaults with dynamic batch, height and width, in the same process and on one thread; a train size of {TRAIN_SIZE}.
Seconds are the processor's, medians of {repeats} round{"s" if repeats > 1 else ""} in which both took turns.
Verification follows every conversion and is timed apart; it cannot be switched off.

{table(("", "sites", "export, s", "conversion, s", "ratio", "verification, s"), [cells(row) for row in rows])}

A conversion traces a network once. The exporter traces it a second time, to write operators it has no ONNX form for
in others, whether or not there is one.

## Memory

A NAFNet of {memory.weights / 4e6:,.0f} million parameters, converted, verified and written in a process of its own.
The file was then opened in onnxruntime once more, from where it was written, and computed the same.

| | MB | over the weights |
| --- | ---: | ---: |
| weights, float32 | {memory.weights / 1e6:,.0f} | 1.00 |
| peak, network built | {memory.before / 1e6:,.0f} | {memory.before / memory.weights:.2f} |
| peak, whole process | {memory.peak / 1e6:,.0f} | {memory.peak / memory.weights:.2f} |
| the same less 1 GB, which libraries and graphs take | {beside / 1e6:,.0f} | {beside / memory.weights:.2f} |

{machine()}
"""


def cells(row: Row) -> list[str]:
    own, stock, proof = (statistics.median(times) for times in (row.own, row.stock, row.verification))
    ratio = median_ratio(row.own, row.stock)
    return [row.name, str(row.sites), f"{stock:.1f}", f"{own:.1f}", f"{ratio:.2f}", f"{proof:.1f}"]
