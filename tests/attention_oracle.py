"""What windowed transposed attention must equal: the published loop over windows, in float64."""

from __future__ import annotations

from math import ceil

import numpy as np
import torch


def published_starts(length: int, window: int) -> list[int]:
    """Window starts along one axis, as the published loop walks them."""
    k = min(length, window)
    n = (length - 1) // k + 1
    step = k if n == 1 else ceil((length - k) / (n - 1) - 1e-8)
    starts, start = [], 0
    while start + k < length:
        starts.append(start)
        start += step
    return [*starts, length - k]


def attention_in_windows(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    temperature: np.ndarray,
    heads: int,
    window: tuple[int, int],
    normalize: bool = True,
    eps: float = 1e-12,
    activation: str = "softmax",
) -> np.ndarray:
    """float64 [N, heads*c_q, H, W]; ``temperature`` broadcasts to [N, heads, c_q, c_k]."""
    q, k, v = (x.double().numpy() for x in (query, key, value))
    factors = np.broadcast_to(temperature, (len(q), heads, q.shape[1] // heads, k.shape[1] // heads))
    height, width = q.shape[2:]
    kh, kw = min(window[0], height), min(window[1], width)
    total, count = np.zeros_like(q), np.zeros((height, width))
    for top in published_starts(height, kh):
        for left in published_starts(width, kw):
            crop = np.s_[top : top + kh, left : left + kw]
            count[crop] += 1
            for image in range(len(q)):
                for head in range(heads):
                    a, b, c = (_pixels(x[image], head, heads, crop) for x in (q, k, v))
                    mixed = _mixing(a, b, factors[image, head], normalize, eps, activation) @ c
                    channels = slice(head * len(a), (head + 1) * len(a))
                    total[image, channels, crop[0], crop[1]] += mixed.reshape(-1, kh, kw)
    return total / count


def _pixels(x: np.ndarray, head: int, heads: int, crop: tuple[slice, slice]) -> np.ndarray:
    channels = len(x) // heads
    return x[head * channels : (head + 1) * channels, crop[0], crop[1]].reshape(channels, -1)


def _mixing(
    q: np.ndarray, k: np.ndarray, factors: np.ndarray, normalize: bool, eps: float, activation: str
) -> np.ndarray:
    scores = np.empty((len(q), len(k)))
    for i, a in enumerate(q):
        for j, b in enumerate(k):
            scores[i, j] = (a * b).sum() * factors[i, j]
            if normalize:
                scores[i, j] /= max(np.sqrt((a * a).sum()), eps) * max(np.sqrt((b * b).sum()), eps)
    if activation == "relu":
        return np.maximum(scores, 0)
    if activation == "identity":
        return scores
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
