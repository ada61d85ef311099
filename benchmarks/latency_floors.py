"""What no file of a network gets below, measured on the machine with files of one operator."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.latency_memory import fresh_process
from benchmarks.latency_operators import add_file
from benchmarks.latency_subjects import Subject

_MIB = 2**20


@dataclass(frozen=True)
class Floors:
    """What the machine takes at the least, besides convolutions and matrix products.

    Attributes:
        traffic: seconds to read and write the subject's least traffic, as fast as an addition does it.
        maps: MiB that exist at once: the maps of the file's largest product, or its output where that is more.
        touch: seconds that the first touch of as many takes: what an addition that writes them takes longer in its
            first run than in its third.
    """

    traffic: float
    maps: float
    touch: float


def measure_floors(subject: Subject, maps: float) -> Floors:
    """Floors of a subject whose exact file cannot do without ``maps`` MiB."""
    channels = math.ceil(maps * _MIB / (4 * math.prod(subject.size)))
    with tempfile.TemporaryDirectory() as folder:
        add = add_file(Path(folder) / "add.onnx")
        image = fresh_process(add, subject.channels, subject.size)
        written = fresh_process(add, channels, subject.size)
    return Floors(subject.least_traffic / 2 * image.steady, maps, written.first - written.steady)
