"""docs/coverage.md, written from the rows."""

from __future__ import annotations

import datetime
import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.coverage.conversion import BATCHES, LARGE, ORACLE_SIZE, SIZES, TRAIN_SIZE
from benchmarks.coverage.row import Row, Status
from benchmarks.coverage.subjects import SUBJECTS, Subject
from benchmarks.folding.document import processor
from benchmarks.markdown_table import table as markdown
from tlcconvert.network.output_distance import TOLERANCE

DOCUMENT = Path(__file__).parents[2] / "docs" / "coverage.md"
_HEAD = (
    "",
    "from",
    "outcome",
    "local",
    "against the eager oracle",
    "left global",
    "folds",
    "network's sizes",
    "file's sizes",
    "seconds",
)


def document(rows: Sequence[Row]) -> str:
    """The page; ``rows`` has one per subject, in their order."""
    sizes = ", ".join(f"{height}x{width}" for height, width in SIZES)
    batches = " and ".join(map(str, BATCHES))
    large = f"{LARGE[1]}x{LARGE[2]}"
    oracle_size = "x".join(map(str, ORACLE_SIZE))
    seeds = ", ".join(subject.name for subject in SUBJECTS if subject.is_seed)
    return f"""\
# Coverage

One small instance with random weights of every architecture in spandrel, spandrel_extra_arches and this project,
converted with a train size of {TRAIN_SIZE}, each in a process of its own. This page is written by
`python -m benchmarks.coverage`.

{summary(rows)}

- *Verified*: beyond the proofs of every conversion, the file was run in onnxruntime at {sizes},
  with batches of {batches}, against the converted network in PyTorch, and against the original wherever every
  statistic covers its map (at all sizes where nothing is local), within {TOLERANCE:.0e} of the output's scale.
  Sizes a network does not accept are padded inside the file, and around the reference alike.
  {seeds} were also run at {large}.
- *Nothing global*: no operation depends on the whole image.
- *Refused*: no file is written, for the reason given below.

{markdown(_HEAD, [cells(subject, row) for subject, row in zip(SUBJECTS, rows, strict=True)])}

- local: statistics that were global and are local in the file.
- against the eager oracle: the file's largest error at {oracle_size}, over the output's scale, against the network
  run in PyTorch with its statistics over windows in float64 (`tests/oracles/eager_localiser.py`), which shares no
  code with the conversion.
- left global: operations that depend on the whole image in the file as in the network; see below.
- folds: batch norms, branches and constants folded exactly.
- network's sizes: the multiple and the minimum in pixels of the images the network itself accepts.
- file's sizes: those the file computes without padding; it takes every size, and pads others to these. In bold where
  they are fewer than the network's, which the conversion's report says too, with the deviation that padding makes.
- seconds: processor time of the conversion, its own verification included, on one thread.

{section("Refused", [(row.name, [row.reason]) for row in rows if row.status is Status.REFUSED])}\
{section("Failed", [(row.name, [row.reason]) for row in rows if row.status is Status.FAILED])}\
{section("Left global", [(row.name, grouped(row.left_global)) for row in rows if row.left_global])}\
{section("Not run by the eager oracle", [(row.name, [row.oracle_note]) for row in rows if row.oracle_note])}\
{section("Sizes not compared", [(row.name, row.not_compared) for row in rows if row.not_compared])}\
{machine(rows)}
"""


def summary(rows: Sequence[Row]) -> str:
    counts = Counter(row.status for row in rows)
    parts = [f"{counts[status]} {status.value}" for status in Status if counts[status]]
    return f"Of {len(rows)}: {'; '.join(parts)}."


def table(rows: Sequence[Row]) -> str:
    """The rows of some subjects, for the terminal."""
    subjects = {subject.name: subject for subject in SUBJECTS}
    return markdown(_HEAD, [cells(subjects[row.name], row) for row in rows])


def cells(subject: Subject, row: Row) -> list[str]:
    architecture = "" if subject.architecture in ("", row.name) else f" ({subject.architecture})"
    start = [f"{row.name}{architecture}", subject.package, row.status.value]
    if row.status in (Status.REFUSED, Status.FAILED):
        return [*start, *[""] * (len(_HEAD) - 4), f"{row.seconds:.0f}"]
    own, file = sizes(row.own_multiple, row.own_minimum), sizes(row.multiple, row.minimum)
    file = file if file == own else f"**{file}**"
    oracle = "not run" if row.oracle_note else "" if row.from_oracle is None else f"{row.from_oracle:.0e}"
    counts = (str(row.sites), oracle, str(len(row.left_global)), str(row.folds))
    return [*start, *counts, own, file, f"{row.seconds:.0f}"]


def sizes(multiple: int, minimum: int) -> str:
    """``"8n, >= 16"``, or ``"any"``."""
    return f"{multiple}n, >= {minimum}" if multiple > 1 or minimum > 1 else "any"


def section(title: str, entries: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A heading and one item per network; empty where there is none."""
    if not entries:
        return ""
    items = [f"- **{name}**: {'; '.join(texts).rstrip('.')}." for name, texts in entries]
    return f"## {title}\n\n" + "\n".join(items) + "\n\n"


def grouped(left_global: Sequence[str]) -> list[str]:
    """How often each kind of operation stays global, and the first reason."""
    kinds: dict[str, list[str]] = {}
    for text in left_global:
        kind, _, reason = text.partition(" at ")
        kinds.setdefault(kind, []).append(reason.partition(": ")[2])
    return [f"{len(reasons)} x {kind} ({reasons[0]})" for kind, reasons in kinds.items()]


def machine(rows: Sequence[Row]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in rows[0].versions.items())
    today = datetime.date.today().isoformat()
    return f"Written on {today}: {processor()}, Python {platform.python_version()},\n{packages}."
