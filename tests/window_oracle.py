"""What every windowed operator must equal: each full window cropped and aggregated, in float64."""

from collections.abc import Callable

import numpy as np
import torch


def on_every_window(
    aggregate: Callable[[np.ndarray], np.ndarray], x: torch.Tensor, window_height: int, window_width: int
) -> np.ndarray:
    """``aggregate`` maps a float64 crop [N, C, kh, kw] to [N, C']; the result is [N, C', H-kh+1, W-kw+1]."""
    pixels = x.double().numpy()
    height, width = pixels.shape[-2:]
    kh, kw = min(window_height, height), min(window_width, width)
    rows = [
        np.stack([aggregate(pixels[..., i : i + kh, j : j + kw]) for j in range(width - kw + 1)], axis=-1)
        for i in range(height - kh + 1)
    ]
    return np.stack(rows, axis=-2)


def mean(crop: np.ndarray) -> np.ndarray:
    return crop.mean(axis=(2, 3))


def relative_error(got: torch.Tensor | np.ndarray, oracle: np.ndarray) -> float:
    """max |error| / max |oracle|; not a number if anything in ``got`` is."""
    got = np.asarray(got.double() if isinstance(got, torch.Tensor) else got, dtype=np.float64)
    assert got.shape == oracle.shape
    return float(np.abs(got - oracle).max() / max(np.abs(oracle).max(), 1e-30))


def softmax_mean(channels: int) -> Callable[[np.ndarray], np.ndarray]:
    """For crops whose first ``channels`` maps are values and the others their logits (one, or one each)."""

    def aggregate(crop: np.ndarray) -> np.ndarray:
        values, logits = crop[:, :channels], crop[:, channels:]
        weights = np.exp(logits - logits.max(axis=(2, 3), keepdims=True))
        return (weights * values).sum(axis=(2, 3)) / weights.sum(axis=(2, 3))

    return aggregate
