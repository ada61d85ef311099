"""What no file of a network gets below, measured on the machine with files of one operator."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.latency.memory import fresh_process
from benchmarks.latency.operators import add_file
from benchmarks.latency.subjects import Subject


@dataclass(frozen=True)
class Floors:
    """What the machine takes at the least, besides convolutions and matrix products.

    Attributes:
        traffic: seconds to read the image and write the output, as fast as an addition does it; 0 for a subject that
            is not bound by memory.
        maps: MiB that exist at once: the maps of the file's largest product, or its output where that is more.
        first, steady: seconds of the first and of the third run of an addition that writes as many.
    """

    traffic: float
    maps: float
    first: float
    steady: float

    @property
    def touch(self) -> float:
        """Seconds that the first touch of the maps takes."""
        return self.first - self.steady


def measure_floors(subject: Subject, output: float, product: float) -> Floors:
    """Floors of a subject with ``output`` MiB of outputs, and ``product`` MiB of maps at its largest product."""
    maps = max(output, product)
    channel = 4 * math.prod(subject.size) / 2**20
    with tempfile.TemporaryDirectory() as folder:
        add = add_file(Path(folder) / "add.onnx")
        writing = fresh_process(add, math.ceil(maps / channel), subject.size)
        if not subject.is_bound_by_memory:
            return Floors(0, maps, writing.first, writing.steady)
        moving = fresh_process(add, subject.channels, subject.size)
    image = subject.channels * channel
    traffic = moving.steady * (image + output) / (2 * image)
    return Floors(traffic, maps, writing.first, writing.steady)
