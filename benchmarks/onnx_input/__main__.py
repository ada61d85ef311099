"""Converts exports of networks and writes down what came of it.

    python -m benchmarks.onnx_input

Each in its own process; rows are kept in the results file as they are made, and a run that was interrupted goes on
where it ended. The table goes into docs/onnx-input.md. Exit code 1 if a process ended without a row.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.onnx_input.conversion import Row
from benchmarks.onnx_input.document import DOCUMENT, written
from benchmarks.onnx_input.exports import EXPORTS

RESULTS = Path(__file__).parents[2] / "build" / "onnx_input.jsonl"
NETWORKS = (
    "FSRCNN",
    "ECBSR",
    "RepSR",
    "RCAN",
    "NAFNet",
    "HINet",
    "Restormer",
    "MPRNet",
    "RealCUGAN",
    "SwinIR",
)


def main(
    only: Annotated[str, typer.Option(help="Networks and exports to run: NAME or NAME/EXPORT,...")] = "",
    results: Annotated[Path, typer.Option(help="Where rows are kept, as JSON lines.")] = RESULTS,
    seconds: Annotated[int, typer.Option(help="Each may take by the clock.")] = 900,
) -> None:
    """Convert every export of every network that has no row yet."""
    asked = [name for name in only.split(",") if name]
    lost = []
    for network in NETWORKS:
        for export in EXPORTS:
            name = f"{network}/{export}"
            if name in rows(results) or (asked and network not in asked and name not in asked):
                continue
            command = [sys.executable, "-m", "benchmarks.onnx_input.conversion", network, export]
            try:
                ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True)
            except subprocess.SubprocessError as error:
                lost.append(f"{name}: {error}")
                continue
            line = ended.stdout.strip().splitlines()[-1]
            results.parent.mkdir(parents=True, exist_ok=True)
            with results.open("a") as stream:
                stream.write(line + "\n")
            print(line, flush=True)
    DOCUMENT.write_text(written(DOCUMENT.read_text(), list(rows(results).values())))
    if lost:
        print("\n".join(lost))
        raise typer.Exit(1)


def rows(results: Path) -> dict[str, Row]:
    """Those in the results file, the last of each name."""
    lines = results.read_text().splitlines() if results.exists() else []
    found = [Row(**json.loads(line)) for line in lines if line]
    return {f"{row.network}/{row.export}": row for row in found}


if __name__ == "__main__":
    typer.run(main)
