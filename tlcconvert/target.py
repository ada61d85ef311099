"""The runtime a file is made for."""

from __future__ import annotations

from enum import Enum


class Target(str, Enum):
    """A runtime whose needs differ.

    ``OPENVINO`` computes norms over channels and pixel shuffles fastest as a network writes them, and its files have
    no Scan or Loop, which pay where operators run one by one on a processor with a cache. ``TENSORRT`` goes
    through a running sum as a loop, and knows no float64: its files have matrix products and merges instead, and
    one size.
    """

    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    TENSORRT = "tensorrt"
