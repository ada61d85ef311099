"""The share of a file's time that goes into products: what no rearrangement of the rest can save."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

_PRODUCTS = {"Conv", "ConvTranspose", "FusedConv", "FusedMatMul", "Gemm", "MatMul"}


def product_share(file: Path, channels: int, size: tuple[int, int]) -> float:
    """Time in convolutions and matrix products over time in all operators, in onnxruntime's profile of one run."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        image = np.random.default_rng(0).random((1, channels, *size), dtype=np.float32)
        for _ in range(2):
            session.run(None, {session.get_inputs()[0].name: image})
        events = json.loads(Path(session.end_profiling()).read_text())
    second_run = [event["ts"] for event in events if event["name"] == "model_run"][1]
    kernels = [
        (event["args"]["op_name"], event["dur"])
        for event in events
        if event["name"].endswith("_kernel_time") and event["ts"] >= second_run
    ]
    products = sum(microseconds for operator, microseconds in kernels if operator in _PRODUCTS)
    return products / sum(microseconds for _, microseconds in kernels)
