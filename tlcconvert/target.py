"""What a file is written for."""

from __future__ import annotations

from enum import StrEnum


class Target(StrEnum):
    """Where a file runs.

    ``PORTABLE`` is right in every runtime: no Scan, Loop, running sum or float64, and nothing that float16 and
    bfloat16 lose. ``ONNXRUNTIME_CPU`` is faster on a processor with a cache, and only there: statistics a few planes
    at a time, from running sums in float64. ``OPENVINO`` and ``TENSORRT`` leave norms over channels and pixel
    shuffles as a network writes them, which those compile best.
    """

    PORTABLE = "portable"
    ONNXRUNTIME_CPU = "onnxruntime-cpu"
    OPENVINO = "openvino"
    TENSORRT = "tensorrt"
