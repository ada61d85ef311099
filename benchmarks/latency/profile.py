"""The products of a file: time and maps that no rearrangement of the rest can save."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

_PRODUCTS = {"Conv", "ConvTranspose", "FusedConv", "FusedMatMul", "Gemm", "MatMul"}


@dataclass(frozen=True)
class Products:
    """Convolutions and matrix products of a file in one run.

    Attributes:
        share: of the time of the run.
        largest: MiB of the one with the largest maps: those it reads and those it writes, without weights and the
            image.
    """

    share: float
    largest: float


def products(file: Path, channels: int, size: tuple[int, int]) -> Products:
    """From onnxruntime's profile of the third run on an image of ``size`` (height, width), one thread."""
    events = _profile(file, channels, size)
    run = [event for event in events if event["name"] == "model_run"][2]
    kernels = [
        event
        for event in events
        if event["name"].endswith("_kernel_time")
        and event["ts"] >= run["ts"]
        and event["args"]["op_name"] in _PRODUCTS
    ]
    image = channels * math.prod(size)
    largest = max((_maps(event["args"], image) for event in kernels), default=0)
    return Products(sum(event["dur"] for event in kernels) / run["dur"], largest / 2**20)


def _maps(operator: dict[str, Any], image: int) -> int:
    """Bytes that an operator reads and writes; a tensor of as many numbers as ``image`` is taken for the image."""
    sizes = [math.prod(shape) for tensor in operator["input_type_shape"] for shape in tensor.values()]
    others = int(operator["activation_size"]) - (4 * image if image in sizes else 0)
    return others + int(operator["output_size"])


def _profile(file: Path, channels: int, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Events of three runs; operators inside a loop have events of their own, within that of the loop."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        image = np.random.default_rng(0).random((1, channels, *size), dtype=np.float32)
        for _ in range(3):
            session.run(None, {session.get_inputs()[0].name: image})
        return json.loads(Path(session.end_profiling()).read_text())
