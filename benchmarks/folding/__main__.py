"""What folding saves, against PyTorch's exporter and the ONNX simplifiers.

    python -m benchmarks.folding

Writes docs/folding.md when every block and network has been measured; with --only, prints the rows.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.folding.document import DOCUMENT, document
from benchmarks.folding.measurement import Row, measure
from benchmarks.folding.subjects import SUBJECTS, Subject


def main(
    size: Annotated[tuple[int, int], typer.Option(min=8, help="Height and width of the timed image.")] = (
        360,
        640,
    ),
    repeats: Annotated[int, typer.Option(min=1, help="Rounds of timing.")] = 15,
    only: Annotated[str, typer.Option(help="Measure those whose name contains this; write no file.")] = "",
) -> None:
    """Compare convolutions and latency of files by tlcconvert, torch.onnx.export, onnxsim, onnxslim, onnxscript."""
    subjects = [subject for subject in SUBJECTS if only.lower() in subject.name.lower()]
    if not subjects:
        names = ", ".join(subject.name for subject in SUBJECTS)
        raise typer.BadParameter(f"nothing is named like {only!r}; there are {names}", param_hint="--only")
    text = document(measured(subjects, size, repeats), size, repeats)
    print(text)
    if not only:
        DOCUMENT.write_text(text)


def measured(subjects: list[Subject], size: tuple[int, int], repeats: int) -> list[Row]:
    """A row per subject; the bar advances by rounds, the text says what is being measured."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    rows = []
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(subjects) * (repeats + 1))
        for subject in subjects:
            progress.update(task, description=subject.name)
            if not console.is_terminal:
                console.print(subject.name)
            row = measure(subject, size, repeats, lambda: progress.advance(task))
            for exporter, error in row.failures.items():
                console.print(f"{subject.name}: {exporter} fails: {error}", markup=False)
            rows.append(row)
    return rows


if __name__ == "__main__":
    typer.run(main)
