"""Timing a conversion without its verification, and PyTorch's export, of one network in one process."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

import tlcconvert
from benchmarks.conversion.subjects import Subject
from tlcconvert.process_state.silence import silence

TRAIN_SIZE = 64


@dataclass
class Row:
    """Seconds of the processor, by round.

    Attributes:
        own: capture, passes, lowering and writing.
        verification: the proof that follows.
        stock: ``torch.onnx.export(dynamo=True)`` at its defaults with dynamic sizes, and saving.
    """

    name: str
    sites: int = 0
    own: list[float] = field(default_factory=list)
    verification: list[float] = field(default_factory=list)
    stock: list[float] = field(default_factory=list)


def measure(subject: Subject, repeats: int) -> Row:
    """Converts and exports ``subject`` in turns; libraries are loaded before, by converting a convolution."""
    torch.set_num_threads(1)
    network, row = subject.network(), Row(subject.name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        _export(nn.Conv2d(3, 3, 3, padding=1), path, subject.example)
        tlcconvert.convert(nn.Conv2d(3, 3, 3, padding=1), TRAIN_SIZE)
        for turn in range(repeats):
            rivals = [
                lambda: _convert(network, path, subject, row),
                lambda: _timed_export(network, path, subject, row),
            ]
            for rival in rivals[:: 1 if turn % 2 == 0 else -1]:
                rival()
    return row


def _convert(network: nn.Module, path: Path, subject: Subject, row: Row) -> None:
    reached: dict[str, float] = {}

    def note(stage: str) -> None:
        reached.setdefault(stage, time.process_time())

    start = time.process_time()
    conversion = tlcconvert.convert(
        network,
        TRAIN_SIZE,
        output_index=subject.output_index,
        progress=note,
    )
    verified = time.process_time()
    conversion.save(path)
    verification = verified - reached["verify"]
    row.own.append(time.process_time() - start - verification)
    row.verification.append(verification)
    row.sites = len(conversion.sites)


def _timed_export(network: nn.Module, path: Path, subject: Subject, row: Row) -> None:
    start = time.process_time()
    _export(network, path, subject.example)
    row.stock.append(time.process_time() - start)


def _export(network: nn.Module, path: Path, example: tuple[int, int]) -> None:
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    with silence(), torch.no_grad():
        exported = torch.onnx.export(
            network, (torch.rand(2, 3, *example),), dynamo=True, dynamic_shapes=(sizes,), verbose=False
        )
    assert exported is not None
    exported.save(path)
