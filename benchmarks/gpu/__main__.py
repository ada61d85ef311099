"""Converted networks on a GPU against the global ones.

    python -m benchmarks.gpu --prepare
    python -m benchmarks.gpu --device cuda

Writes docs/gpu.md. The first step needs this project and writes programs and files to a folder. The second needs that
folder, PyTorch and NumPy, but not the converter, which asks for a PyTorch that the machine may not have; so arguments
are read by argparse.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.gpu.document import DOCUMENT, RESULTS, document
from benchmarks.gpu.measurement import Cell, Measured, measure
from benchmarks.gpu.rivals import DTYPES, FACTS, Place

SIZES = ((720, 1280), (2160, 3840))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prepare, or measure and write the page."""
    asked = _parser().parse_args(arguments)
    if asked.prepare:
        from benchmarks.gpu.preparation import SUBJECTS, prepare

        for subject in SUBJECTS:
            print(f"preparing {subject.name}", file=sys.stderr)
            prepare(subject, asked.folder / subject.name.replace(" ", "_"))
        return
    if asked.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU here: docs/gpu.md stays as it is.")
    cells = measured_cells(asked.folder, asked.device, asked.size or SIZES, asked.repeats)
    measured = Measured(machine(asked.device), asked.repeats, tuple(cells))
    measured.save(asked.results)
    asked.page.write_text(document(measured))


def measured_cells(folder: Path, device: str, sizes: Sequence[tuple[int, int]], repeats: int) -> list[Cell]:
    """A cell per network in ``folder``, size, dtype and way to run it.

    Raises:
        SystemExit: nothing was prepared there.
    """
    networks = sorted(folder.glob(f"*/{FACTS}"))
    if not networks:
        sys.exit(f"{folder} has no networks: run python -m benchmarks.gpu --prepare first.")
    cells = []
    for facts_file in networks:
        facts = json.loads(facts_file.read_text())
        place = Place(device, facts_file.parent)
        for size in sizes:
            for dtype in DTYPES:
                for way in place.ways():
                    cell = measure(facts["name"], place, way, dtype, facts["channels"], size, repeats)
                    if cell is not None:
                        print(facts["name"], size, dtype, way, dict(cell.missing), file=sys.stderr)
                        cells.append(cell)
    return cells


def machine(device: str) -> str:
    """The device, today, and the versions of what ran."""
    name = torch.cuda.get_device_name() if device == "cuda" else "a processor, no GPU"
    versions = f"torch {torch.__version__}"
    try:
        import onnxruntime

        versions += f", onnxruntime {onnxruntime.__version__}"
    except ImportError:
        pass
    return f"{name} on {datetime.date.today().isoformat()}, {versions}"


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--prepare", action="store_true", help="write programs and files, measure nothing")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks/gpu"))
    parser.add_argument("--size", type=_size, action="append", help="HxW, in place of 720x1280 and 2160x3840")
    parser.add_argument("--repeats", type=int, default=9, help="rounds")
    parser.add_argument("--page", type=Path, default=DOCUMENT)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
