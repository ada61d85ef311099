"""Latency and memory of localised files against those of the global network and of published prefix sums.

    python -m benchmarks.latency [NETWORK ...]
    python -m benchmarks.latency --threads 2 [NETWORK ...]
    python -m benchmarks.latency --ablate
    python -m benchmarks.latency --pixels

Each network is measured in one go, on one thread; docs/benchmarks.json keeps what was measured, and
docs/benchmarks.md and .svg are written from it. ONNX files are kept in build/benchmarks; remove that folder after
changing a pass. ``--threads`` times the files of networks already measured on one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.folding.document import processor
from benchmarks.latency import rows as latency_rows
from benchmarks.latency.document import DOCUMENT, document
from benchmarks.latency.measurement import ablation, measure, measure_threaded, per_pixel
from benchmarks.latency.plot import plot
from benchmarks.latency.subjects import ABLATED, PER_PIXEL, PIXELS, SUBJECTS, Subject

_NAMES = {subject.name.lower(): subject for subject in SUBJECTS}
_KEPT = DOCUMENT.with_suffix(".json")


def main(
    networks: Annotated[list[str] | None, typer.Argument(help="Measure those only.")] = None,
    ablate: Annotated[bool, typer.Option(help="Measure what each pass gains instead.")] = False,
    pixels: Annotated[
        bool, typer.Option(help="Measure what a pixel costs at several sizes instead.")
    ] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds of timing.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="Threads of onnxruntime.")] = 1,
    cache: Annotated[Path, typer.Option(help="Where ONNX files are kept.")] = Path("build/benchmarks"),
) -> None:
    """Compare the files of tlcconvert with stock exports of the global network and of its published local form."""
    console = Console(stderr=True)
    for name in [] if ablate or pixels else [name.lower() for name in networks or _NAMES]:
        if name not in _NAMES:
            names = ", ".join(subject.name for subject in SUBJECTS)
            raise typer.BadParameter(f"nothing is named {name!r}; there are {names}", param_hint="NETWORK")
        console.print(_NAMES[name].name)
        if threads == 1:
            row = measure(_NAMES[name], cache, repeats)
            with _kept() as kept:
                kept.keep(row)
        else:
            _measure_threaded(_NAMES[name], cache, repeats, threads)
    for subject, passes in ABLATED if ablate else ():
        console.print(subject.name)
        gains = ablation(subject, passes, cache, repeats)
        with _kept() as kept:
            kept.without[subject.name] = gains
    if pixels:
        costs = per_pixel(PER_PIXEL, PIXELS, cache, repeats)
        with _kept() as kept:
            kept.per_pixel = costs


def _measure_threaded(subject: Subject, cache: Path, repeats: int, threads: int) -> None:
    row = latency_rows.read(_KEPT).row(subject, processor())
    if row is None:
        raise typer.BadParameter(f"{subject.name} has not been measured on one thread", param_hint="NETWORK")
    times = measure_threaded(row, cache, repeats, threads)
    with _kept() as kept:
        kept.threaded[subject.name] = times


@contextmanager
def _kept() -> Iterator[latency_rows.Measurements]:
    """What is kept so far, to be changed; written whole after each network, so that one that fails costs no other."""
    kept = latency_rows.read(_KEPT)
    yield kept
    latency_rows.write(_KEPT, kept)
    if kept.rows:
        DOCUMENT.write_text(document(kept.in_order(), kept.without, kept.per_pixel, kept.threaded))
        DOCUMENT.with_suffix(".svg").write_text(plot(kept.in_order()))


if __name__ == "__main__":
    typer.run(main)
