"""A file in OpenVINO, on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino

_ONE_THREAD = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
"""By default OpenVINO computes in bfloat16 where the processor can."""


def openvino_run(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The first output of ``file`` for an image [N, C, H, W], float32, on one thread."""
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(file), "CPU", _ONE_THREAD)
    return lambda image: np.array(compiled([image])[0])
