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
        rows: by network.
        without: for each ablated network its time without a pass over its time, by pass.
        per_pixel: nanoseconds per pixel of one network, by size of the image and by kind of file.
        threaded: by network.
    """

    rows: dict[str, Row] = dataclasses.field(default_factory=dict)
    without: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    per_pixel: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    threaded: dict[str, Threaded] = dataclasses.field(default_factory=dict)

    def in_order(self) -> list[Row]:
        return [self.rows[subject.name] for subject in SUBJECTS if subject.name in self.rows]


def read(file: Path) -> Measurements:
    """What ``file`` holds of networks there still are; nothing if there is no such file."""
    if not file.exists():
        return Measurements()
    stored = json.loads(file.read_text())
    subjects = {subject.name: subject for subject in SUBJECTS}
    rows = {name: _row(subjects[name], row) for name, row in stored["rows"].items() if name in subjects}
    threaded = {
        name: Threaded(**times) for name, times in stored.get("threaded", {}).items() if name in subjects
    }
    return Measurements(rows, stored["without"], stored.get("per_pixel", {}), threaded)


def write(file: Path, measurements: Measurements) -> None:
    rows = {row.subject.name: _plain(row) for row in measurements.in_order()}
    kept = {
        "rows": rows,
        "without": measurements.without,
        "per_pixel": measurements.per_pixel,
        "threaded": {name: dataclasses.asdict(times) for name, times in measurements.threaded.items()},
    }
    file.write_text(json.dumps(kept, indent=1) + "\n")


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
        floors,
    )


def _plain(row: Row) -> dict[str, Any]:
    return {
        "seconds": {kind: [round(one, 4) for one in times] for kind, times in row.seconds.items()},
        "peers": dict(row.peers),
        "processes": {kind: dataclasses.asdict(process) for kind, process in row.processes.items()},
        "products": round(row.products, 3),
        "measured": row.measured,
        "floors": dataclasses.asdict(row.floors) if row.floors else None,
    }
