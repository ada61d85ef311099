"""What a conversion costs beside PyTorch's own export of the same network, in time and in memory.

    python -m benchmarks.conversion

Writes docs/conversion.md when every network has been measured; with --only, prints the rows.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from benchmarks.conversion.document import DOCUMENT, document
from benchmarks.conversion.measurement import Row, measure
from benchmarks.conversion.memory import measured_memory
from benchmarks.conversion.subjects import SUBJECTS


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Rounds of timing.")] = 1,
    only: Annotated[str, typer.Option(help="Measure those whose name contains this; write no file.")] = "",
) -> None:
    """Compare the time of a conversion with that of torch.onnx.export, and its memory with the weights."""
    subjects = [subject for subject in SUBJECTS if only.lower() in subject.name.lower()]
    if not subjects:
        names = ", ".join(subject.name for subject in SUBJECTS)
        raise typer.BadParameter(f"nothing is named like {only!r}; there are {names}", param_hint="--only")
    console = Console(stderr=True)
    rows: list[Row] = []
    for subject in subjects:
        console.print(f"timing {subject.name}")
        rows.append(measure(subject, repeats))
        console.print(f"  {rows[-1]}", markup=False)
    if only:
        return
    console.print("measuring memory")
    DOCUMENT.write_text(document(rows, measured_memory(), repeats))
    console.print(f"wrote {DOCUMENT}")


if __name__ == "__main__":
    typer.run(main)
