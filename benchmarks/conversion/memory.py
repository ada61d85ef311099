"""Peak memory of a conversion of a network with 600 million parameters, in a process of its own.

    python -m benchmarks.conversion.memory

prints bytes of weights, and peak resident bytes before and after the conversion, its verification included.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE
from tlcconvert.verification.compare import compare_callables
from tlcconvert.verification.session import callable_of, inference_session


@dataclass(frozen=True)
class Memory:
    """Bytes: of the weights; most resident while the network was built; most resident over the whole process."""

    weights: int
    before: int
    peak: int


def measured_memory() -> Memory:
    command = [sys.executable, "-m", "benchmarks.conversion.memory"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Memory(*map(int, output.split()))


def network(blocks: int = 20) -> nn.Module:
    """A NAFNet with random weights, of 630 million parameters by default."""
    from spandrel.architectures.NAFNet import NAFNet

    built = NAFNet(width=128, middle_blk_num=blocks, enc_blk_nums=[1, 1, 1, 1], dec_blk_nums=[1, 1, 1, 1])
    for name, parameter in built.named_parameters():
        if name.endswith((".beta", ".gamma")):
            # Zero in the beginning, they would fold whole blocks away.
            nn.init.normal_(parameter, std=0.1)
    return built.eval().requires_grad_(False)


def main() -> None:
    import tlcconvert

    torch.set_num_threads(1)
    large = network()
    weights = sum(parameter.nbytes for parameter in large.parameters())
    before = _peak()
    conversion = tlcconvert.convert(large, 32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        conversion.save(path)
        print(weights, before, _peak())
        _check(path, conversion.module)


def _check(path: Path, converted: nn.Module) -> None:
    """Raises unless onnxruntime opens the file as a user of it would, and computes the same."""
    session = inference_session(path.read_bytes(), path.parent)
    inputs = NetworkInputs(3)
    compare_callables(
        callable_of(session), converted, inputs, [(1, 40, 56)], TOLERANCE, "file / converted"
    ).raise_for_mismatch()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
