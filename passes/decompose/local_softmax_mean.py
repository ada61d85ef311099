"""``tlc::local_softmax_mean`` in ATen: (max, sum, weighted sum) merged by doubling.

The digits of k must be known, but k = min(window, size) is not. So a map smaller than the window is first
extended to it with pixels of no weight, which changes no mean; to larger maps nothing is added.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from passes.decompose.axis import COLUMNS, ROWS, larger, run, size

aten = torch.ops.aten

_LOWEST = torch.finfo(torch.float32).min


class _State(NamedTuple):
    max: Tensor
    weight: Tensor
    weighted: Tensor


def local_softmax_mean(x: Tensor, logits: Tensor, window_height: int, window_width: int) -> Tensor:
    """Interior of weighted means [N, C, H-kh+1, W-kw+1]; logits [N, 1 or C, H, W], finite; in the dtype of x."""
    state = _State(logits, aten.ones_like.default(logits), x)
    state = _merge_along(_merge_along(state, ROWS, window_height), COLUMNS, window_width)
    return aten.div.Tensor(state.weighted, state.weight)


def _merge_along(state: _State, axis: int, window: int) -> _State:
    if window == 1:
        return state
    state = _extended(state, axis, window)
    length = size(state.max, axis)
    interior = length - (window - 1)
    merged, reached, pixels = None, 0, 1
    while True:
        if window & pixels:
            part = _run(state, axis, reached, interior)
            merged = part if merged is None else _merge(merged, part)
            reached += pixels
        if reached == window:
            assert merged is not None
            return merged
        length = length - pixels
        state = _merge(_run(state, axis, 0, length), _run(state, axis, pixels, length))
        pixels *= 2


def _extended(state: _State, axis: int, window: int) -> _State:
    missing = larger(window - size(state.max, axis), 0)
    padding = [0, missing] if axis == COLUMNS else [0, 0, 0, missing]
    values = (_LOWEST, 0.0, 0.0)
    return _State(
        *(
            aten.constant_pad_nd.default(part, padding, value)
            for part, value in zip(state, values, strict=True)
        )
    )


def _run(state: _State, axis: int, start: int, length: int) -> _State:
    return _State(*(run(part, axis, start, length) for part in state))


def _merge(a: _State, b: _State) -> _State:
    top = aten.maximum.default(a.max, b.max)
    scale_a, scale_b = (aten.exp.default(aten.sub.Tensor(state.max, top)) for state in (a, b))
    return _State(
        top, _blend(a.weight, scale_a, b.weight, scale_b), _blend(a.weighted, scale_a, b.weighted, scale_b)
    )


def _blend(a: Tensor, scale_a: Tensor, b: Tensor, scale_b: Tensor) -> Tensor:
    return aten.add.Tensor(aten.mul.Tensor(a, scale_a), aten.mul.Tensor(b, scale_b))
