"""Peak memory of a conversion of a network with 600 million parameters, in a process of its own.

    python -m benchmarks.conversion_memory

prints bytes of weights, and peak resident bytes before and after the conversion, its verification included.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Bytes: of the weights; most resident while the network was built; most resident over the whole process."""

    weights: int
    before: int
    peak: int


def measured_memory() -> Memory:
    command = [sys.executable, "-m", "benchmarks.conversion_memory"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Memory(*map(int, output.split()))


def main() -> None:
    import torch
    from spandrel.architectures.NAFNet import NAFNet

    import tlcconvert

    torch.set_num_threads(1)
    network = NAFNet(width=128, middle_blk_num=20, enc_blk_nums=[1, 1, 1, 1], dec_blk_nums=[1, 1, 1, 1])
    network.eval().requires_grad_(False)
    weights = sum(parameter.nbytes for parameter in network.parameters())
    before = _peak()
    conversion = tlcconvert.convert(network, 32)
    with tempfile.TemporaryDirectory() as folder:
        conversion.save(Path(folder) / "model.onnx")
    print(weights, before, _peak())


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
