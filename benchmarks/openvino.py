"""The files of tlcconvert in OpenVINO, for onnxruntime and for it, against the export of the global network.

    python -m benchmarks.openvino

Writes docs/openvino.md. ONNX files are kept in build/benchmarks, as those of benchmarks.latency are.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from benchmarks.interleaved import fastest, interleaved_seconds
from benchmarks.latency_files import EXACT, GLOBAL, file_for, our_file, peer_files
from benchmarks.latency_subjects import ABLATED, SUBJECTS, Subject
from benchmarks.openvino_document import DOCUMENT, FOR_OPENVINO, Row, document
from benchmarks.openvino_session import openvino_run
from tlcconvert import Target

_SAME = 1e-4
"""Largest difference of our two files, of the output's scale; both are float32 and sum in another order."""
MEASURED = (ABLATED[0][0], SUBJECTS[2], SUBJECTS[4])


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Rounds of timing.")] = 5,
    cache: Annotated[Path, typer.Option(help="Where ONNX files are kept.")] = Path("build/benchmarks"),
) -> None:
    """Compare files for onnxruntime and for OpenVINO, in OpenVINO, with the global network's fastest export."""
    console = Console(stderr=True)
    rows = []
    for subject in MEASURED:
        console.print(subject.name)
        rows.append(measure(subject, cache, repeats))
    DOCUMENT.write_text(document(rows))


def measure(subject: Subject, folder: Path, repeats: int) -> Row:
    """Times the files of ``subject``; of the global network's exports, the one that is fastest in one run.

    Raises:
        ValueError: the file for OpenVINO computes something else than the file for onnxruntime.
    """
    image = np.random.default_rng(0).random((1, subject.channels, *subject.size), dtype=np.float32)
    peers = peer_files(subject, GLOBAL, folder)
    makers = {name: functools.partial(run_of, file, image) for name, file in peers.items()}
    winner = fastest(makers, time.process_time)
    assert winner is not None, f"{subject.name}: no export of the global network runs in OpenVINO"
    files = {
        GLOBAL: peers[winner],
        EXACT: our_file(subject, EXACT, folder),
        FOR_OPENVINO: file_for(subject, Target.OPENVINO, folder),
    }
    runs = {kind: run_of(file, image) for kind, file in files.items()}
    own, other = runs[EXACT](), runs[FOR_OPENVINO]()
    if np.abs(own - other).max() > _SAME * np.abs(own).max():
        raise ValueError(f"{subject.name}: the files for onnxruntime and OpenVINO differ")
    seconds = interleaved_seconds(runs, repeats, clock=time.process_time)
    return Row(subject, seconds, winner)


def run_of(file: Path, image: np.ndarray) -> Callable[[], np.ndarray]:
    return functools.partial(openvino_run(file), image)


if __name__ == "__main__":
    typer.run(main)
