"""The runtime a file is made for."""

from __future__ import annotations

from enum import Enum


class Target(str, Enum):
    """A runtime whose needs differ.

    ``ONNXRUNTIME`` is any runtime that computes ``CumSum`` at the speed of its memory. ``TENSORRT`` goes through a
    running sum as a loop, and knows no float64: its files have matrix products and merges instead, and one size.
    """

    ONNXRUNTIME = "onnxruntime"
    TENSORRT = "tensorrt"
