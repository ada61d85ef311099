"""docs/folding.md, written from what was measured."""

from __future__ import annotations

import datetime
import platform
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.folding.measurement import OURS, Row
from benchmarks.folding.subjects import CHANNELS
from benchmarks.markdown_table import table
from benchmarks.peer_exports import SIMPLIFIERS
from tlcconvert.network.output_distance import TOLERANCE

DISTRIBUTIONS = ("torch", "onnxruntime", "onnxsim", "onnxslim", "onnxscript")
DOCUMENT = Path(__file__).parents[2] / "docs" / "folding.md"


def document(rows: Sequence[Row], size: tuple[int, int], repeats: int) -> str:
    return f"""\
# Folding, compared

Networks in the form they are trained in, written as ONNX by tlcconvert and by what one would use otherwise. Every
file was first checked to compute what the network does in PyTorch, within {TOLERANCE:.0e} of the output's scale.
Blocks have {CHANNELS} channels; batch, height and width are dynamic in every file. This page is written by
`python -m benchmarks.folding`.

## Convolutions

In PyTorch and in each file.

{table(("", "PyTorch", *SIMPLIFIERS, OURS), [counts(row) for row in rows])}

## Latency

Time of each file over that of ours; above 1 the other is slower. Median over {repeats} rounds, in each of which
every file ran once on one {size[0]}x{size[1]} image, on one thread of onnxruntime with its default optimisations.
Other work on the machine slows both sides of a ratio alike; the milliseconds, a median too, include it.

{table(("", f"{OURS}, ms", *SIMPLIFIERS), [latencies(row) for row in rows])}

## The peers

- torch.onnx.export: `torch.onnx.export(dynamo=True)` at its defaults, which include onnxscript's optimizer. The
  others start from its file.
- onnxsim, onnxslim: `simplify` and `slim` at their defaults.
- onnxscript: the optimizer once more, then the rewriter's default rules.

{machine()}
"""


def counts(row: Row) -> list[str]:
    cells = [
        cell(row, exporter, lambda name: str(row.convolutions[name])) for exporter in (*SIMPLIFIERS, OURS)
    ]
    return [row.name, str(row.eager_convolutions), *cells]


def latencies(row: Row) -> list[str]:
    ratios = [cell(row, peer, lambda name: f"{row.ratio(name):.2f}") for peer in SIMPLIFIERS]
    return [row.name, f"{row.milliseconds(OURS):.1f}", *ratios]


def cell(row: Row, exporter: str, measured: Callable[[str], str]) -> str:
    """What was measured, or the kind of error that kept it from being so."""
    if exporter in row.failures:
        return f"fails: {type(row.failures[exporter]).__name__}"
    return measured(exporter)


def machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in DISTRIBUTIONS)
    today = datetime.date.today().isoformat()
    return f"Measured on {today}: {processor()}, Python {platform.python_version()},\n{packages}."


def processor() -> str:
    facts = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", facts.read_text()) if facts.exists() else None
    return named.group(1) if named else platform.processor() or platform.machine()
