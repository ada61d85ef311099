"""The weighted mean over the mean of the weights, each window's relative to its largest."""

from __future__ import annotations

from passes.words.exponential_means import exponential_means
from passes.words.words import Map, Words


def local_softmax_mean(w: Words, x: Map, logits: Map, window_height: int, window_width: int) -> Map:
    """Interior of weighted means [N, C, H-kh+1, W-kw+1]; logits [N, 1 or C, H, W], finite; in the type of x."""
    factors = [w.ones_like(logits), x]
    _, weight, weighted = exponential_means(w, logits, factors, window_height, window_width)
    return w.divide(weighted, weight)
