"""Peak memory of a fresh process that runs a file once.

    python -m benchmarks.latency_memory FILE CHANNELS HEIGHT WIDTH

prints the peak resident memory in MiB and the seconds of the first and of the third run.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class FreshProcess:
    """Peak resident memory in MiB, seconds (of the processor) of the first run and of the third."""

    peak: float
    first: float
    steady: float


def fresh_process(file: Path, channels: int, size: tuple[int, int]) -> FreshProcess:
    """Runs ``file`` three times in a new process, on one image of ``size`` (height, width)."""
    command = [sys.executable, "-m", "benchmarks.latency_memory", file, channels, *size]
    output = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    return FreshProcess(*map(float, output.stdout.split()))


def main(file: str, channels: str, height: str, width: str) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    shape = (1, int(channels), int(height), int(width))
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        session.run(None, {session.get_inputs()[0].name: image})
        seconds.append(time.process_time() - start)
    print(_peak(), seconds[0], seconds[2])


def _peak() -> float:
    """MiB. ``getrusage`` would count what the parent had resident when it forked."""
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
