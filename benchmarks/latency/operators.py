"""Files of one or two operators: what any file pays on the machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser

_HEAD = '<ir_version: 9, opset_import: ["" : 18]> g (float[n, c, h, w] x) => (float[n, c, h, w] y)'


def add_file(file: Path) -> Path:
    """Writes y = x + x: each map is read once and one as large is written."""
    onnx.save(parser.parse_model(_HEAD + "{ y = Add(x, x) }"), file)
    return file


def convolution_file(file: Path, channels: int) -> Path:
    """Writes y = conv3x3(x) + x with as many channels out as in."""
    model = parser.parse_model(_HEAD + "{ z = Conv <pads = [1, 1, 1, 1]> (x, weight)  y = Add(z, x) }")
    weight = np.random.default_rng(0).random((channels, channels, 3, 3), dtype=np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "weight"))
    onnx.save(model, file)
    return file
