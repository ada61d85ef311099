"""The files a report goes to: facts for programs, a page for people. Both have the same facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tlcconvert.conversion import Conversion
from tlcconvert.output.report_schema import Provenance, Report
from tlcconvert.output.write import Output, bytes_at
from tlcconvert.report.page import page
from tlcconvert.report.photograph import Photograph
from tlcconvert.report.restored import restored
from tlcconvert.stages import Progress


def report_files(
    conversion: Conversion,
    provenance: Provenance,
    photographs: Sequence[Photograph],
    facts_at: Path | None,
    page_at: Path | None,
    progress: Progress,
) -> list[Output]:
    """The report of ``conversion``, as JSON and as HTML where a path says so.

    Args:
        photographs: run through the original and the converted network.
        progress: called with what is being done.

    Raises:
        InputError: the page would be larger than a page may be.
    """
    seen = []
    for photograph in photographs:
        progress(f"{photograph.name} through both networks")
        seen.append(restored(photograph, conversion))
    facts: Report = {**conversion.report(), "provenance": provenance}
    if photographs:
        facts["images"] = [each.seen for each in seen]
    files = []
    if facts_at is not None:
        files.append(bytes_at(facts_at, json.dumps(facts, indent=2).encode() + b"\n"))
    if page_at is not None:
        files.append(bytes_at(page_at, page(facts, seen).encode()))
    return files
