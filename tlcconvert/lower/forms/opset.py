"""The ONNX operator set the lowerings are written in."""

from typing import Any

import onnxscript

op: Any = onnxscript.opset18
"""Opset 18. Untyped: onnxscript's stubs tie a value to one dtype, which functions of values cannot state."""


def integers(*values: int) -> Any:
    """A constant int64 vector."""
    return op.Constant(value_ints=list(values))
