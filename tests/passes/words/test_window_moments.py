"""Statistics without running sums are those of a loop over windows, and need no float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import passes.statistics.mean.formula as means
import passes.statistics.normalize.formula as norms
import passes.statistics.variance.formula as variances
from passes.words import aten
from passes.words.window_blocks import blocks_of

sides = st.one_of(st.integers(1, 12), st.integers(1, 90))
lengths = st.one_of(st.integers(1, 12), st.integers(1, 100))
sizes = st.tuples(sides, st.integers(1, 17)) | st.tuples(st.integers(1, 17), sides)
windows = st.tuples(lengths, lengths)


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
    got = means.local_mean(aten, x, *window)
    torch.testing.assert_close(got, windows_of(x, window).mean(-1), rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(size=sizes, window=windows, batch=st.integers(1, 2))
def test_variances_are_those_of_each_window(size, window, batch):
    x = torch.randn(batch, 3, *size, dtype=torch.float64)
    got = variances.local_variance(aten, x, *window)
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
    got = norms.local_normalize(aten, x, *window, groups, 1e-5)
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


@given(window=st.integers(2, 5000))
def test_a_window_is_at_least_two_blocks_of_which_one_is_never_most(window):
    cut = blocks_of(window)
    assert cut.length * cut.number + cut.rest == window
    assert cut.number >= 2
    assert cut.rest < cut.length <= 24
    assert (cut.number - 1) * cut.length >= window / 3 - 1


LEVEL, SPREAD = 70.0, 0.1


def beside(other: Tensor) -> Tensor:
    """A flat area at a high level, with little contrast, and another one."""
    return torch.cat([LEVEL + SPREAD * torch.rand(2, 3, 60, 40), other], 3)


MAPS = {
    "alone": beside(torch.empty(2, 3, 60, 0)),
    "black beside it": beside(torch.zeros(2, 3, 60, 37)),
    "noise beside it": beside(100 * torch.randn(2, 3, 60, 37)),
    "sparks beside it": beside(1000.0 * (torch.rand(2, 3, 60, 37) < 0.002)),
    "sparks on it": beside(torch.empty(2, 3, 60, 0)) + 1000 * (torch.rand(2, 3, 60, 40) < 0.002),
}


@pytest.mark.parametrize("window", [(5, 7), (24, 31), (48, 32), (23, 96)], ids=str)
@pytest.mark.parametrize("name", MAPS)
def test_float32_keeps_the_contrast_of_a_flat_area_whatever_is_beside_it(name, window):
    x = MAPS[name]
    pixels = windows_of(x.double(), window)
    variance = pixels.var(-1, correction=0)
    got = variances.local_variance(aten, x, *window)
    assert ((got - variance).abs() <= 1e-5 * variance + 1e-9).all()
    mean, deviation = (replicated(part, x.shape[2:]) for part in (pixels.mean(-1), (variance + 1e-5).sqrt()))
    normalised = (x - mean) / deviation
    error = (norms.local_normalize(aten, x, *window, 3, 1e-5) - normalised).abs()
    assert (error <= 1e-5 * normalised.abs().clamp(min=1)).all()


@pytest.mark.parametrize("level", [0.0, 1.0, 1000.0])
def test_a_flat_region_has_no_more_variance_than_its_rounding_squared(level):
    x = torch.full((1, 1, 64, 64), level)
    x[..., :8, :8] += torch.randn(8, 8)
    variance = variances.local_variance(aten, x, 16, 16)
    assert variance.min() >= 0
    assert (variance[..., 8:, :] <= (level * 2**-23) ** 2).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("window", [(96, 96), (97, 150)], ids=str)
def test_half_precision_keeps_a_mean_whatever_the_window(dtype, window):
    torch.manual_seed(0)
    x = (torch.randn(1, 2, 200, 220) + torch.linspace(0, 8, 220)).to(dtype)
    got = means.local_mean(aten, x, *window)
    expected = torch.nn.functional.avg_pool2d(x.double(), window, 1)
    assert (got - expected).abs().max() <= 4 * torch.finfo(dtype).eps * expected.abs().max()
