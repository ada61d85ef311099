"""Local statistics without running sums are those of a loop over windows, and need no float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from passes.fixed_size import FIXED_SIZE

tlc = torch.ops.tlc

sizes = st.tuples(st.integers(1, 17), st.integers(1, 17))
windows = st.tuples(st.integers(1, 20), st.integers(1, 20))


def windows_of(x: Tensor, window: tuple[int, int]) -> Tensor:
    """Every full window of x [N, C, H, W] as [N, C, h, w, kh * kw], by one slice each."""
    kh, kw = (min(w, s) for w, s in zip(window, x.shape[2:], strict=True))
    height, width = x.shape[2] - kh + 1, x.shape[3] - kw + 1
    rows = [
        torch.stack([x[:, :, i : i + kh, j : j + kw].flatten(2) for j in range(width)], 2)
        for i in range(height)
    ]
    return torch.stack(rows, 2)


def replicated(interior: Tensor, size: torch.Size) -> Tensor:
    top, left = ((full - part) // 2 for full, part in zip(size, interior.shape[2:], strict=True))
    rows = (torch.arange(size[0]) - top).clamp(0, interior.shape[2] - 1)
    columns = (torch.arange(size[1]) - left).clamp(0, interior.shape[3] - 1)
    return interior[:, :, rows][..., columns]


@settings(deadline=None, max_examples=60)
@given(size=sizes, window=windows, batch=st.integers(1, 2))
def test_means_are_those_of_each_window(size, window, batch):
    x = torch.randn(batch, 3, *size, dtype=torch.float64)
    got = FIXED_SIZE[tlc.local_mean.default](x, *window)
    torch.testing.assert_close(got, windows_of(x, window).mean(-1), rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(size=sizes, window=windows, batch=st.integers(1, 2))
def test_variances_are_those_of_each_window(size, window, batch):
    x = torch.randn(batch, 3, *size, dtype=torch.float64)
    got = FIXED_SIZE[tlc.local_variance.default](x, *window)
    torch.testing.assert_close(got, windows_of(x, window).var(-1, correction=0), rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(size=sizes, window=windows, groups=st.sampled_from([1, 2, 6]))
def test_norms_subtract_the_mean_and_divide_by_the_deviation_of_each_window(size, window, groups):
    x = torch.randn(2, 6, *size, dtype=torch.float64)
    by_group = x.reshape(2 * groups, 6 // groups, *size)
    pixels = windows_of(by_group, window).permute(0, 2, 3, 1, 4).flatten(3).unsqueeze(1)
    mean = replicated(pixels.mean(-1), x.shape[2:])
    variance = replicated(pixels.var(-1, correction=0), x.shape[2:])
    expected = ((by_group - mean) / (variance + 1e-5).sqrt()).reshape(x.shape)
    got = FIXED_SIZE[tlc.local_normalize.default](x, *window, groups, 1e-5)
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("level", [0.0, 1.0, 1000.0])
def test_a_flat_region_has_no_variance_whatever_its_level_in_float32(level):
    x = torch.full((1, 1, 64, 64), level)
    x[..., :8, :8] += torch.randn(8, 8)
    variance = FIXED_SIZE[tlc.local_variance.default](x, 16, 16)
    assert variance.min() == 0
    assert (variance[..., 8:, :] == 0).all()


def test_float32_variances_at_a_high_level_keep_their_digits():
    torch.manual_seed(0)
    x = 1000 + torch.randn(1, 1, 40, 50)
    exact = windows_of(x.double(), (24, 31)).var(-1, correction=0)
    got = FIXED_SIZE[tlc.local_variance.default](x, 24, 31)
    torch.testing.assert_close(got.double(), exact, rtol=1e-4, atol=0)
