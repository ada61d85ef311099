"""Memory of a fresh process that runs a file.

    python -m benchmarks.latency.memory FILE CHANNELS HEIGHT WIDTH

prints the peak resident memory in MiB, the seconds of the first and of the third run, the MiB resident before them,
and the MiB of the outputs.
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
    """What running a file takes.

    Attributes:
        peak: resident memory, MiB.
        first, steady: seconds (of the processor) of the first run and of the third.
        loaded: MiB resident when the file is loaded and the image made, and nothing has run.
        output: MiB of what a run returns.
    """

    peak: float
    first: float
    steady: float
    loaded: float | None = None
    output: float | None = None


def fresh_process(file: Path, channels: int, size: tuple[int, int]) -> FreshProcess:
    """Runs ``file`` three times in a new process, on one image of ``size`` (height, width)."""
    command = [sys.executable, "-m", "benchmarks.latency.memory", file, channels, *size]
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
    loaded = _resident("VmRSS")
    seconds = []
    for _ in range(3):
        start = time.process_time()
        output = sum(array.nbytes for array in session.run(None, {session.get_inputs()[0].name: image}))
        seconds.append(time.process_time() - start)
    print(_resident("VmHWM"), seconds[0], seconds[2], loaded, output / 2**20)


def _resident(which: str) -> float:
    """MiB, now (VmRSS) or at most (VmHWM). ``getrusage`` would count what the parent had resident when it forked."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(which))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
