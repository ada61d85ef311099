"""Files of tlcconvert in the runtimes that people hand them to.

    python -m benchmarks.runtimes

Writes docs/runtimes.json and the table of docs/runtimes.md. tests/runtimes/README.md sets the runtimes up; those that
are missing end the run by name.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from benchmarks.runtimes.document import FIGURES, PAGE, figures_in, page_with, right_table, write_figures
from benchmarks.runtimes.files import KINDS
from benchmarks.runtimes.runtimes import RUNTIMES
from benchmarks.runtimes.subjects import SUBJECTS
from benchmarks.runtimes.trial import Trials


def main(
    networks: Annotated[
        list[str] | None, typer.Option(help="Only this network; others keep figures.")
    ] = None,
    runtimes: Annotated[list[str] | None, typer.Option(help="Only this runtime, by its row.")] = None,
) -> None:
    """Try every file in every runtime; exit code 1 if a runtime is missing."""
    console = Console(stderr=True, highlight=False, markup=False)
    chosen = [runtime for runtime in RUNTIMES if not runtimes or runtime.name in runtimes]
    missing = [f"{runtime.name}: {reason}" for runtime in chosen if (reason := runtime.missing())]
    if missing:
        console.print("\n".join(missing))
        raise typer.Exit(1)
    torch.set_num_threads(1)
    verdicts = figures_in(FIGURES)
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder))
        for subject in (subject for subject in SUBJECTS if not networks or subject.name in networks):
            for kind in KINDS:
                for runtime in chosen:
                    made = trials.verdicts(runtime, kind, subject)
                    verdicts[runtime.name, kind.name, subject.name] = list(made)
                    told = ", ".join(own.text if own.is_right else f"WRONG {own.text}" for own in made)
                    console.print(f"{subject.name}, {kind.name}, {runtime.name}: {told}", soft_wrap=True)
            write_figures(verdicts, FIGURES)
    PAGE.write_text(page_with(right_table(verdicts), PAGE.read_text()))


if __name__ == "__main__":
    typer.run(main)
