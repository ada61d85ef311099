"""docs/benchmarks.json: what was measured, network by network, for the page to be written from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.latency.floors import Floors
from benchmarks.latency.measurement import Row, Threaded
from benchmarks.latency.memory import FreshProcess
from benchmarks.latency.subjects import SUBJECTS, Subject


@dataclasses.dataclass
class Measurements:
    """What is kept.

    Attributes:
        rows: of every network and processor.
        without: for each ablated network its time without a pass over its time, by pass.
        per_pixel: nanoseconds per pixel of one network, by size of the image and by kind of file.
        threaded: by network.
    """

    rows: list[Row] = dataclasses.field(default_factory=list)
    without: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    per_pixel: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    threaded: dict[str, Threaded] = dataclasses.field(default_factory=dict)

    def keep(self, row: Row) -> None:
        """In the place of what the same processor took for the same network before."""
        self.rows = [kept for kept in self.rows if _key(kept) != _key(row)] + [row]

    def row(self, subject: Subject, processor: str) -> Row | None:
        return next((row for row in self.rows if _key(row) == (subject.name, processor)), None)

    def in_order(self) -> list[Row]:
        names = [subject.name for subject in SUBJECTS]
        known = [row for row in self.rows if row.subject.name in names]
        return sorted(known, key=lambda row: (names.index(row.subject.name), row.processor))


def read(file: Path) -> Measurements:
    """What ``file`` holds of networks there still are; nothing if there is no such file."""
    if not file.exists():
        return Measurements()
    stored = json.loads(file.read_text())
    subjects = {subject.name: subject for subject in SUBJECTS}
    rows = [_row(subjects[row["network"]], row) for row in stored["rows"] if row["network"] in subjects]
    threaded = {
        name: Threaded(**times) for name, times in stored.get("threaded", {}).items() if name in subjects
    }
    return Measurements(rows, stored["without"], stored.get("per_pixel", {}), threaded)


def write(file: Path, measurements: Measurements) -> None:
    kept = {
        "rows": [_plain(row) for row in measurements.in_order()],
        "without": measurements.without,
        "per_pixel": measurements.per_pixel,
        "threaded": {name: dataclasses.asdict(times) for name, times in measurements.threaded.items()},
    }
    file.write_text(json.dumps(kept, indent=1) + "\n")


def _key(row: Row) -> tuple[str, str]:
    return row.subject.name, row.processor


def _row(subject: Subject, stored: Mapping[str, Any]) -> Row:
    processes = {kind: FreshProcess(**process) for kind, process in stored["processes"].items()}
    floors = Floors(**stored["floors"]) if stored.get("floors") else None
    return Row(
        subject,
        stored["seconds"],
        stored["peers"],
        processes,
        stored["products"],
        stored["measured"],
        stored["processor"],
        floors,
    )


def _plain(row: Row) -> dict[str, Any]:
    return {
        "network": row.subject.name,
        "processor": row.processor,
        "seconds": {kind: [round(one, 4) for one in times] for kind, times in row.seconds.items()},
        "peers": dict(row.peers),
        "processes": {kind: dataclasses.asdict(process) for kind, process in row.processes.items()},
        "products": round(row.products, 3),
        "measured": row.measured,
        "floors": dataclasses.asdict(row.floors) if row.floors else None,
    }
