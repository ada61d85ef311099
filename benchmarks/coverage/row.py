"""One row of the coverage table, and the file of rows a run can be resumed from."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("tlcconvert", "torch", "onnxruntime", "onnxscript", "spandrel", "spandrel_extra_arches")


class Status(StrEnum):
    """What a conversion came to. Nothing global: not one operation depended on the whole image."""

    VERIFIED = "verified"
    NOTHING_GLOBAL = "verified, nothing global"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass
class Row:
    """One conversion.

    Attributes:
        reason: why it was refused or failed, else empty.
        parameters: numbers in the network's weights.
        seconds: processor time of capture, passes, writing and the verification a conversion always has.
        sites: statistics that are local.
        left_global: those that are not, with where they are and why.
        folds: exact simplifications.
        multiple, minimum: of the sizes the file computes without padding, in pixels.
        own_multiple, own_minimum: of the sizes the network itself accepts, in pixels.
        compared: sizes at which file and network were compared for the table, ``batch x height x width``.
        from_oracle: largest distance from the eager localiser at 272x400, over the output's scale; None where nothing
            is local.
        oracle_note: why it was not compared.
        not_compared: sizes at which the network itself raises or is not finite, with the reason.
        versions: of the packages that matter.
    """

    name: str
    status: Status
    reason: str = ""
    parameters: int = 0
    seconds: float = 0.0
    sites: int = 0
    left_global: list[str] = field(default_factory=list)
    folds: int = 0
    multiple: int = 1
    minimum: int = 1
    own_multiple: int = 1
    own_minimum: int = 1
    compared: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)
    from_oracle: float | None = None
    oracle_note: str = ""
    versions: dict[str, str] = field(default_factory=lambda: installed_versions())

    def line(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_line(cls, line: str) -> Row:
        facts = json.loads(line)
        return cls(**facts | {"status": Status(facts["status"])})


def installed_versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def rows_in(results: Path, names: Collection[str]) -> dict[str, Row]:
    """The last row of each of ``names`` in ``results`` that was made with the versions installed now."""
    if not results.exists():
        return {}
    rows = [Row.of_line(line) for line in results.read_text().splitlines()]
    versions = installed_versions()
    return {row.name: row for row in rows if row.name in names and row.versions == versions}


def append(row: Row, results: Path) -> None:
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a") as stream:
        stream.write(row.line() + "\n")
