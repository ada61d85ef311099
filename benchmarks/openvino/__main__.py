"""The files of tlcconvert for OpenVINO, in OpenVINO, against the export of the global network.

    python -m benchmarks.openvino

Writes docs/openvino.md. ONNX files are kept in build/benchmarks, as those of benchmarks.latency.__main__ are.
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
from benchmarks.latency.files import GLOBAL, our_file, peer_files
from benchmarks.latency.subjects import ABLATED, RCAN, SE_BLOCK, Subject
from benchmarks.openvino.document import DOCUMENT, FOR_OPENVINO, Row, document
from benchmarks.openvino.session import openvino_run
from tlcconvert import Target
from tlcconvert.verification.session import inference_session

_SAME = 1e-4
"""Largest difference of one file in two runtimes, of the output's scale; they sum in another order."""
MEASURED = (ABLATED[0][0], RCAN, SE_BLOCK)


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Rounds of timing.")] = 5,
    cache: Annotated[Path, typer.Option(help="Where ONNX files are kept.")] = Path("build/benchmarks"),
) -> None:
    """Compare files for OpenVINO, in OpenVINO, with the global network's fastest export."""
    console = Console(stderr=True)
    rows = []
    for subject in MEASURED:
        console.print(subject.name)
        rows.append(measure(subject, cache, repeats))
    DOCUMENT.write_text(document(rows))


def measure(subject: Subject, folder: Path, repeats: int) -> Row:
    """Times the files of ``subject``; of the global network's exports, the one that is fastest in one run.

    Raises:
        ValueError: the file computes something else in OpenVINO than in onnxruntime.
    """
    image = np.random.default_rng(0).random((1, subject.channels, *subject.size), dtype=np.float32)
    peers = peer_files(subject, GLOBAL, folder)
    makers = {name: functools.partial(run_of, file, image) for name, file in peers.items()}
    winner = fastest(makers, time.process_time)
    assert winner is not None, f"{subject.name}: no export of the global network runs in OpenVINO"
    files = {GLOBAL: peers[winner], FOR_OPENVINO: our_file(subject, Target.OPENVINO.value, folder)}
    runs = {kind: run_of(file, image) for kind, file in files.items()}
    own, other = runs[FOR_OPENVINO](), in_onnxruntime(files[FOR_OPENVINO], image)
    if np.abs(own - other).max() > _SAME * np.abs(other).max():
        raise ValueError(f"{subject.name}: OpenVINO and onnxruntime differ")
    seconds = interleaved_seconds(runs, repeats, clock=time.process_time)
    return Row(subject, seconds, winner)


def in_onnxruntime(file: Path, image: np.ndarray) -> np.ndarray:
    session = inference_session(file.read_bytes())
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def run_of(file: Path, image: np.ndarray) -> Callable[[], np.ndarray]:
    return functools.partial(openvino_run(file), image)


if __name__ == "__main__":
    typer.run(main)
