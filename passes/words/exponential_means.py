"""Means weighted by exponentials over every full window, in log2(k) steps per axis.

No single offset keeps exp in range where logits differ by hundreds between regions, so each run of pixels has its
own, the largest of its logits: with m = max l over a run and s = mean of exp(l - m) f, two runs of n1 and n2 pixels
that share none make

    m = max(m1, m2)        s = s1 exp(m1 - m) n1 / (n1 + n2) + s2 exp(m2 - m) n2 / (n1 + n2)

of one. Means do not grow with the window, as sums do beyond what float16 holds. Runs of 2^j pixels are two of
2^(j-1); a window is one run for each binary digit of its length. The digits of k must be known, but k = min(window,
size) is not. So a map smaller than the window is first extended to it with pixels of no weight, which count; to
larger maps nothing is added.
"""

from __future__ import annotations

from collections.abc import Sequence

from passes.words.words import COLUMNS, END, LARGEST, ROWS, Map, Size, Words

_Runs = tuple[Map, ...]
"""m and every s of the run that begins at each pixel."""


def exponential_means(
    w: Words, logits: Map, factors: Sequence[Map], window_height: int, window_width: int
) -> _Runs:
    """m, and s for each f of ``factors``, of every window [N, C, H-kh+1, W-kw+1]; in float32 if the maps are.

    ``logits`` is finite, [N, 1 or C, H, W], and each factor [N, C, H, W] or of the shape of the logits.
    """
    rows = _merged_along(w, (logits, *factors), ROWS, window_height)
    return _merged_along(w, rows, COLUMNS, window_width)


def _merged_along(w: Words, runs: _Runs, axis: int, window: int) -> _Runs:
    if window == 1:
        return runs
    runs = _extended(w, runs, axis, window)
    interior = w.less(w.size(runs[0], axis), window - 1)
    merged, covered, length = None, 0, 1
    while True:
        if window & length:
            start = w.number(covered)
            part = _between(w, runs, axis, start, w.more(interior, covered))
            merged = part if merged is None else _merged(w, merged, part, covered / (covered + length))
            covered += length
        if covered == window:
            assert merged is not None
            return merged
        early = _between(w, runs, axis, w.number(0), w.number(-length))
        runs = _merged(w, early, _between(w, runs, axis, w.number(length), w.number(END)), 1 / 2)
        length *= 2


def _extended(w: Words, runs: _Runs, axis: int, window: int) -> _Runs:
    largest, *means = runs
    padding = w.padding(w.larger(w.less(window, w.size(largest, axis)), 0))
    return (
        w.padded(largest, axis, padding, -LARGEST),
        *(w.padded(each, axis, padding, 0.0) for each in means),
    )


def _between(w: Words, runs: _Runs, axis: int, start: Size, end: Size) -> _Runs:
    return tuple(w.between(part, axis, start, end) for part in runs)


def _merged(w: Words, a: _Runs, b: _Runs, share: float) -> _Runs:
    """Of runs that are ``share`` and 1 - ``share`` of the pixels."""
    (largest_a, *means_a), (largest_b, *means_b) = a, b
    largest = w.maximum(largest_a, largest_b)
    scale_a, scale_b = (
        w.multiply(w.exp(w.subtract(own, largest)), w.decimal(part))
        for own, part in ((largest_a, share), (largest_b, 1 - share))
    )
    means = (
        w.add(w.multiply(mean_a, scale_a), w.multiply(mean_b, scale_b))
        for mean_a, mean_b in zip(means_a, means_b, strict=True)
    )
    return (largest, *means)
