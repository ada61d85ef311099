"""``tlc::local_softmax_mean`` in standard ONNX operators: (max, sum, weighted sum) merged by doubling.

The digits of k must be known, but k = min(window, size) is not. So a map smaller than the window is first
extended to it with pixels of no weight, which changes no mean; to larger maps nothing is added.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from onnxscript import FLOAT, ir
from onnxscript.onnx_types import TensorType

from tlcconvert.lower.forms.box_sum import COLUMNS, ROWS
from tlcconvert.lower.forms.opset import integers, op

_LOWEST = float(np.finfo(np.float32).min)


class _State(NamedTuple):
    max: TensorType
    weight: TensorType
    weighted: TensorType


def local_softmax_mean(x: FLOAT, logits: FLOAT, window_height: int, window_width: int) -> FLOAT:
    """Interior of weighted means [N, C, H-kh+1, W-kw+1]; logits [N, 1 or C, H, W], finite; float32."""
    one = ir.tensor(np.ones(1, np.float32))
    state = _State(logits, op.ConstantOfShape(op.Shape(logits), value=one), x)
    state = _merge_along(_merge_along(state, ROWS, window_height), COLUMNS, window_width)
    return op.Div(state.weighted, state.weight)


def _merge_along(run: _State, axis: int, window: int) -> _State:
    if window == 1:
        return run
    run = _extend(run, axis, window)
    interior = op.Sub(op.Shape(run.max, start=axis, end=axis + 1), integers(window - 1))
    merged, covered, length = None, 0, 1
    while True:
        if window & length:
            part = _slice(run, axis, integers(covered), op.Add(interior, integers(covered)))
            merged = part if merged is None else _merge(merged, part)
            covered += length
        if covered == window:
            assert merged is not None
            return merged
        run = _merge(
            _slice(run, axis, integers(0), integers(-length)),
            _slice(run, axis, integers(length), integers(2**62)),
        )
        length *= 2


def _extend(state: _State, axis: int, window: int) -> _State:
    missing = op.Sub(integers(window), op.Shape(state.max, start=axis, end=axis + 1))
    padding = op.Concat(integers(0), op.Max(missing, integers(0)), axis=0)

    def pad(part: TensorType, value: float) -> TensorType:
        return op.Pad(part, padding, op.Constant(value_float=value), integers(axis), mode="constant")

    return _State(pad(state.max, _LOWEST), pad(state.weight, 0.0), pad(state.weighted, 0.0))


def _slice(state: _State, axis: int, start: TensorType, end: TensorType) -> _State:
    return _State(*(op.Slice(part, start, end, integers(axis)) for part in state))


def _merge(a: _State, b: _State) -> _State:
    top = op.Max(a.max, b.max)
    scale_a, scale_b = op.Exp(op.Sub(a.max, top)), op.Exp(op.Sub(b.max, top))
    return _State(
        top,
        op.Add(op.Mul(a.weight, scale_a), op.Mul(b.weight, scale_b)),
        op.Add(op.Mul(a.weighted, scale_a), op.Mul(b.weighted, scale_b)),
    )
