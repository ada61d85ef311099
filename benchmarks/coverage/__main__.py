"""Converts an instance of every architecture of the field and writes down what came of it.

    python -m benchmarks.coverage

Prints the rows, and writes docs/coverage.md if every subject has one. Each conversion runs in its own process. A run
that was interrupted goes on where it ended: rows are kept in the results file as they are made, with the versions of
the packages they were made with. Remove the file to begin again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.coverage.document import DOCUMENT, document, table
from benchmarks.coverage.process import convert_apart
from benchmarks.coverage.row import Row, Status, append, rows_in
from benchmarks.coverage.subjects import SUBJECTS, Subject

RESULTS = Path(__file__).parents[2] / "build" / "coverage.jsonl"


def main(
    only: Annotated[
        list[str] | None, typer.Option(help="Convert this one again, whatever the results file says.")
    ] = None,
    slice: Annotated[
        str, typer.Option(metavar="K/N", help="Every N-th subject, beginning with number K.")
    ] = "0/1",
    results: Annotated[Path, typer.Option(help="Where rows are kept, as JSON lines.")] = RESULTS,
    seconds: Annotated[float, typer.Option(min=1, help="Processor time each conversion may take.")] = 600,
    gigabytes: Annotated[float, typer.Option(min=1, help="Memory each conversion may take.")] = 12,
) -> None:
    """Convert an instance of every architecture; exit code 1 if one of them failed."""
    subjects = chosen(only or [], slice)
    known = {} if only else rows_in(results, [subject.name for subject in subjects])
    made = converted(
        [subject for subject in subjects if subject.name not in known], results, seconds, gigabytes
    )
    rows = [(known | made)[subject.name] for subject in subjects]
    everything = rows_in(results, [subject.name for subject in SUBJECTS])
    if len(everything) == len(SUBJECTS):
        DOCUMENT.write_text(document([everything[subject.name] for subject in SUBJECTS]))
    print(table(rows))
    if any(row.status is Status.FAILED for row in rows):
        raise typer.Exit(1)


def chosen(only: Sequence[str], slice: str) -> list[Subject]:
    """The subjects to report on.

    Raises:
        typer.BadParameter: a name nobody has, or a slice that is no K/N.
    """
    names = [subject.name for subject in SUBJECTS]
    for name in only:
        if name not in names:
            raise typer.BadParameter(
                f"nothing is named {name!r}; there are {', '.join(names)}", param_hint="--only"
            )
    if only:
        return [subject for subject in SUBJECTS if subject.name in only]
    try:
        first, step = (int(number) for number in slice.split("/"))
        return list(SUBJECTS[first::step])
    except ValueError:
        raise typer.BadParameter(f"{slice!r} is no K/N such as 3/10", param_hint="--slice") from None


def converted(subjects: Sequence[Subject], results: Path, seconds: float, gigabytes: float) -> dict[str, Row]:
    """A row per subject, each in the results file as soon as it is there."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    rows = {}
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(subjects))
        for subject in subjects:
            progress.update(task, description=subject.name)
            row = convert_apart(subject.name, seconds, gigabytes)
            append(row, results)
            rows[row.name] = row
            progress.advance(task)
            reason = f": {row.reason}" if row.reason else ""
            console.print(f"{row.name}: {row.status.value}{reason}", markup=False, highlight=False)
    return rows


if __name__ == "__main__":
    typer.run(main)
