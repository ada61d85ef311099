"""m + log mean exp(x - m) + log(kh * kw), m the largest pixel of each window.

An infinite pixel has a finite m, so that no infinity is taken from itself. Its own term, exp(-inf) or exp(inf), is
what it should be.
"""

from __future__ import annotations

import math

from passes.words.exponential_means import exponential_means
from passes.words.words import LARGEST, Map, Words


def local_log_sum_exp(w: Words, x: Map, window_height: int, window_width: int) -> Map:
    """Interior of log-sum-exps [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; in the type of x."""
    finite = w.bounded(x, -LARGEST, LARGEST)
    terms = w.exp(w.subtract(x, finite))
    largest, mean = exponential_means(w, finite, [terms], window_height, window_width)
    logarithm = w.add(w.log(mean), w.decimal(math.log(window_height * window_width)))
    return w.add(largest, logarithm)
