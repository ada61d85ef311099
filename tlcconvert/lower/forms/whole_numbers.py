"""Arithmetic of sizes and positions, which are int64, in standard ONNX operators."""

from __future__ import annotations

from typing import Any

from onnxscript import ir

from tlcconvert.lower.forms.opset import integers, op


def numbers(count: Any) -> Any:
    """0, 1, ... count-1 for count int64 [1]."""
    return op.Range(op.Constant(value_int=0), op.Squeeze(count), op.Constant(value_int=1))


def ceil_divide(a: Any, b: Any) -> Any:
    """The least whole number not below a / b; b is positive."""
    return op.Div(op.Add(a, op.Sub(b, integers(1))), b)


def covered(positions: Any, starts: Any, k: Any) -> Any:
    """float32, 1 where k pixels from ``starts`` on hold ``positions``; the two broadcast."""
    begun = op.GreaterOrEqual(positions, starts)
    unfinished = op.Less(positions, op.Add(starts, k))
    return op.Cast(op.And(begun, unfinished), to=ir.DataType.FLOAT)
