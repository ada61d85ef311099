"""(max, sum, weighted sum) merged by doubling.

The digits of k must be known, but k = min(window, size) is not. So a map smaller than the window is first
extended to it with pixels of no weight, which changes no mean; to larger maps nothing is added.
"""

from __future__ import annotations

from typing import NamedTuple

from passes.words.words import COLUMNS, END, ROWS, Map, Size, Words

_LOWEST = -(2.0**128 - 2.0**104)
"""The lowest float32."""


class _State(NamedTuple):
    max: Map
    weight: Map
    weighted: Map


def local_softmax_mean(w: Words, x: Map, logits: Map, window_height: int, window_width: int) -> Map:
    """Interior of weighted means [N, C, H-kh+1, W-kw+1]; logits [N, 1 or C, H, W], finite; in the type of x."""
    state = _State(logits, w.ones_like(logits), x)
    state = _merged_along(w, _merged_along(w, state, ROWS, window_height), COLUMNS, window_width)
    return w.divide(state.weighted, state.weight)


def _merged_along(w: Words, runs: _State, axis: int, window: int) -> _State:
    if window == 1:
        return runs
    runs = _extended(w, runs, axis, window)
    interior = w.less(w.size(runs.max, axis), window - 1)
    merged, covered, length = None, 0, 1
    while True:
        if window & length:
            start = w.number(covered)
            part = _between(w, runs, axis, start, w.more(interior, covered))
            merged = part if merged is None else _merged(w, merged, part)
            covered += length
        if covered == window:
            assert merged is not None
            return merged
        early = _between(w, runs, axis, w.number(0), w.number(-length))
        runs = _merged(w, early, _between(w, runs, axis, w.number(length), w.number(END)))
        length *= 2


def _extended(w: Words, state: _State, axis: int, window: int) -> _State:
    padding = w.padding(w.larger(w.less(window, w.size(state.max, axis)), 0))
    values = (_LOWEST, 0.0, 0.0)
    return _State(*(w.padded(part, axis, padding, value) for part, value in zip(state, values, strict=True)))


def _between(w: Words, state: _State, axis: int, start: Size, end: Size) -> _State:
    return _State(*(w.between(part, axis, start, end) for part in state))


def _merged(w: Words, a: _State, b: _State) -> _State:
    top = w.maximum(a.max, b.max)
    scale_a, scale_b = w.exp(w.subtract(a.max, top)), w.exp(w.subtract(b.max, top))

    def blended(a: Map, b: Map) -> Map:
        return w.add(w.multiply(a, scale_a), w.multiply(b, scale_b))

    return _State(top, blended(a.weight, b.weight), blended(a.weighted, b.weighted))
