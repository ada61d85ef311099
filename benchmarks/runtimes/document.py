"""The table of docs/runtimes.md, written from verdicts; the rest of the page is written by hand."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from math import isfinite
from pathlib import Path

from benchmarks.folding.document import processor
from benchmarks.markdown_table import table
from benchmarks.runtimes.files import KINDS
from benchmarks.runtimes.runtimes import FLOAT32, ROOT, RUNTIMES, Runtime
from benchmarks.runtimes.subjects import SUBJECTS
from benchmarks.runtimes.verdict import Verdict

PAGE = ROOT / "docs" / "runtimes.md"
FIGURES = ROOT / "docs" / "runtimes.json"
BEGIN, END = "<!-- python -m benchmarks.runtimes -->", "<!-- end -->"

Key = tuple[str, str, str]
"""Names of a runtime, a kind of file and a subject."""


def figures_in(file: Path) -> dict[Key, list[Verdict]]:
    if not file.exists():
        return {}
    return {
        (row["runtime"], row["file"], row["network"]): [Verdict(**own) for own in row["images"]]
        for row in json.loads(file.read_text())
    }


def write_figures(verdicts: Mapping[Key, Sequence[Verdict]], file: Path) -> None:
    """Rows of this page's runtimes, kinds and networks, in their order."""
    rows = [
        {
            "runtime": key[0],
            "file": key[1],
            "network": key[2],
            "images": [_facts(own) for own in verdicts[key]],
        }
        for key in keys()
        if key in verdicts
    ]
    text = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    file.write_text(f"[\n{text}\n]\n")


def _facts(own: Verdict) -> dict[str, str | float]:
    """The fields of a verdict that say something; numbers in three digits."""
    numbers = {name: getattr(own, name) for name in ("error", "decibels", "wanted")}
    finite = {name: float(f"{value:.3g}") for name, value in numbers.items() if isfinite(value)}
    failure = {"failure": own.failure} if own.failure else {}
    return {"image": own.image, "precision": own.precision, **finite, **failure}


def keys() -> list[Key]:
    return [
        (runtime.name, kind.name, subject.name)
        for runtime in RUNTIMES
        for kind in KINDS
        for subject in SUBJECTS
    ]


def page_with(table_: str, page: str) -> str:
    """``page`` with what is between the two marks replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table_}\n\n{END}{after}"


@dataclass
class Notes:
    """Sentences that cells refer to, each once."""

    sentences: list[str] = field(default_factory=list)

    def number(self, sentence: str) -> int:
        if sentence not in self.sentences:
            self.sentences.append(sentence)
        return self.sentences.index(sentence) + 1


def right_table(verdicts: Mapping[Key, Sequence[Verdict]]) -> str:
    notes = Notes()
    rows = []
    for runtime in RUNTIMES:
        cells = []
        for kind in KINDS:
            tried = {
                subject.name: verdicts.get((runtime.name, kind.name, subject.name), ())
                for subject in SUBJECTS
            }
            cells.append(cell(tried, notes))
        rows.append([_label(runtime, verdicts), *cells])
    listed = "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(notes.sentences, 1))
    packages = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "openvino", "torch"))
    return f"""\
{table(("", *(kind.name for kind in KINDS)), rows)}

{listed}

Measured on {datetime.date.today().isoformat()}: {processor()}, Python {platform.python_version()}, {packages}."""


def _label(runtime: Runtime, verdicts: Mapping[Key, Sequence[Verdict]]) -> str:
    """The name of a runtime, with what it computed in if that was its own choice."""
    if not runtime.chooses_precision:
        return runtime.name
    own = {
        made.precision
        for key in keys()
        if key[0] == runtime.name
        for made in verdicts.get(key, ())
        if not made.failure
    }
    return f"{runtime.name} ({' and '.join(sorted(own))} here)" if own else runtime.name


def cell(tried: Mapping[str, Sequence[Verdict]], notes: Notes) -> str:
    """What came of the networks of one runtime and kind: ``right``, or what is wrong with which network."""
    known = {name: verdicts for name, verdicts in tried.items() if verdicts}
    if not known:
        return "not tried"
    wrong = {
        reason: [name for name, verdicts in known.items() if wrongness(verdicts, notes) == reason]
        for reason in dict.fromkeys(wrongness(verdicts, notes) for verdicts in known.values())
        if reason
    }
    if not wrong:
        return f"right{_kept([own for verdicts in known.values() for own in verdicts])}"
    return "; ".join(
        f"**{reason}**" if len(names) == len(known) else f"**{', '.join(names)}: {reason}**"
        for reason, names in wrong.items()
    )


def wrongness(verdicts: Sequence[Verdict], notes: Notes) -> str:
    """What is wrong with the outputs of a file, or ""."""
    failed = [own for own in verdicts if own.failure]
    if failed:
        number = notes.number(failed[0].failure)
        return (
            f"fails ({number})" if len(failed) == len(verdicts) else f"fails at {failed[0].image} ({number})"
        )
    wrong = [own for own in verdicts if not own.is_right]
    if not wrong:
        return ""
    worst = max(wrong, key=lambda own: own.error if own.error == own.error else float("inf"))
    return f"{worst.text} at {worst.image}"


def _kept(verdicts: Sequence[Verdict]) -> str:
    halves = [own for own in verdicts if own.precision != FLOAT32]
    return f", {min(own.decibels for own in halves):.0f} dB" if halves else ""
