"""One file pools maps of every size into PyTorch's bins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from tlcconvert.lower.forms import PORTABLE

COUNTS = [(8, 8), (3, 70), (1, 5), (100, 2)]


def pools(x):
    """Means and maxima over numbers of bins, means over bins that are half the map, and means along one axis."""
    means = [functional.adaptive_avg_pool2d(x, counts) for counts in COUNTS]
    maxima = [functional.adaptive_max_pool2d(x, counts) for counts in COUNTS]
    half = functional.adaptive_avg_pool2d(x, (x.shape[2] // 2 + 1, x.shape[3]))
    return *means, *maxima, half, functional.adaptive_avg_pool1d(x.flatten(2), 7)


def binned(x, counts, reduce):
    """Loops over the bins, in float64."""
    for axis, count in zip(range(x.ndim - len(counts), x.ndim), counts, strict=True):
        extent = x.shape[axis]
        bins = [range(i * extent // count, -(-(i + 1) * extent // count)) for i in range(count)]
        x = np.stack([reduce(np.take(x, list(pixels), axis), axis) for pixels in bins], axis)
    return x


@pytest.fixture(scope="module")
def file(table, in_onnxruntime):
    """Of the oldest opset from one table and of the newest from the other: their forms are the same here."""
    return in_onnxruntime(pools, opset=18 if table is PORTABLE else 24)


@pytest.mark.parametrize(
    "size", [(1, 1), (2, 3), (7, 8), (8, 16), (9, 17), (23, 5), (45, 80), (131, 64)], ids=str
)
def test_every_bin_holds_its_own_pixels_at_any_size(file, size):
    x = torch.rand(2, 3, *size)
    pixels, flat = x.double().numpy(), x.double().flatten(2).numpy()
    means = [binned(pixels, counts, np.mean) for counts in COUNTS]
    maxima = [binned(pixels, counts, np.max) for counts in COUNTS]
    half = binned(pixels, (size[0] // 2 + 1, size[1]), np.mean)
    for got, expected in zip(file(x), [*means, *maxima, half, binned(flat, (7,), np.mean)], strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


def test_means_over_large_bins_keep_their_precision(file):
    x = torch.rand(1, 3, 1024, 1031) + 1
    np.testing.assert_allclose(file(x)[2], binned(x.double().numpy(), (1, 5), np.mean), rtol=5e-6)
