"""``tlc::local_softmax_mean``: the softmax-weighted mean over every full window (GCNet's context pooling).

    sum(exp(logits) * x) / sum(exp(logits))

No single offset keeps exp in range where logits differ by hundreds between regions, so each window has its
own: the state of a set of pixels is (m, s, w) = (max logit, sum exp(logit - m), sum exp(logit - m) x), and

    (m1, s1, w1) + (m2, s2, w2) = (m, s1 e1 + s2 e2, w1 e1 + w2 e2)      m = max(m1, m2), e = exp(m_ - m)

is the state of their union. Runs of 2^j pixels are merged by doubling, windows from the binary digits of k.

Source of the operation: Cao et al., "GCNet", arXiv:1904.11492; of the merge: Milakov and Gimelshein, "Online
normalizer calculation for softmax", arXiv:1805.02867.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from passes.operators.window import effective, interior_like


class _State(NamedTuple):
    max: torch.Tensor
    weight: torch.Tensor
    weighted: torch.Tensor

    def narrow(self, axis: int, start: int, length: int) -> _State:
        return _State(*(part.narrow(axis, start, length) for part in self))


@torch.library.custom_op("tlc::local_softmax_mean", mutates_args=())
def local_softmax_mean(
    x: torch.Tensor, logits: torch.Tensor, window_height: int, window_width: int
) -> torch.Tensor:
    """Interior of weighted means [N, C, H-kh+1, W-kw+1] of x [N, C, H, W]; k = min(window, size) per axis.

    ``logits`` is [N, 1, H, W] or [N, C, H, W], finite. Same dtype as x; computed in float64.

    Raises:
        ValueError: if a window is less than 1 pixel long.
    """
    state = _State(logits.double(), torch.ones_like(logits, dtype=torch.float64), x.double())
    state = _merge_along(_merge_along(state, -2, window_height), -1, window_width)
    return (state.weighted / state.weight).to(x.dtype)


@local_softmax_mean.register_fake
def _(x: torch.Tensor, logits: torch.Tensor, window_height: int, window_width: int) -> torch.Tensor:
    return interior_like(x, window_height, window_width)


def _merge_along(run: _State, axis: int, window: int) -> _State:
    size = run.max.shape[axis]
    k = effective(window, size)
    interior = size - k + 1
    merged, covered, length = None, 0, 1
    while True:
        if k & length:
            part = run.narrow(axis, covered, interior)
            merged = part if merged is None else _merge(merged, part)
            covered += length
        if covered == k:
            assert merged is not None
            return merged
        size -= length
        run = _merge(run.narrow(axis, 0, size), run.narrow(axis, length, size))
        length *= 2


def _merge(a: _State, b: _State) -> _State:
    top = torch.maximum(a.max, b.max)
    scale_a, scale_b = (a.max - top).exp_(), (b.max - top).exp_()
    return _State(top, a.weight * scale_a + b.weight * scale_b, a.weighted * scale_a + b.weighted * scale_b)
