import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

import passes.statistics  # noqa: F401
from tests.window_oracle import relative_error

local_normalize = torch.ops.tlc.local_normalize


def oracle(x: torch.Tensor, window: tuple[int, int], groups: int, eps: float) -> np.ndarray:
    """Each pixel normalised inside the crop around it, by torch's own group_norm in float64."""
    pixels = x.double()
    height, width = x.shape[-2:]
    kh, kw = min(window[0], height), min(window[1], width)
    normalised = torch.empty_like(pixels)
    for i in range(height):
        for j in range(width):
            top = min(max(i - (kh - 1) // 2, 0), height - kh)
            left = min(max(j - (kw - 1) // 2, 0), width - kw)
            crop = pixels[..., top : top + kh, left : left + kw].flatten(2)
            mean = crop.unflatten(1, (groups, -1)).mean((2, 3))
            var = crop.unflatten(1, (groups, -1)).var((2, 3), correction=0)
            pixel = pixels[..., i, j].unflatten(1, (groups, -1))
            normalised[..., i, j] = ((pixel - mean[..., None]) / (var[..., None] + eps).sqrt()).flatten(1)
    return normalised.numpy()


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    window=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    groups=st.sampled_from([1, 2, 3, 6]),
)
def test_equals_each_pixel_normalised_within_its_crop(batch, size, window, groups):
    x = torch.randn(batch, 6, *size) * torch.arange(1, 7)[:, None, None] + 4
    assert (
        np.abs(local_normalize(x, *window, groups, 1e-5).numpy() - oracle(x, window, groups, 1e-5)).max()
        < 1e-5
    )


def test_a_window_that_covers_the_map_is_torchs_own_normalisation():
    x = torch.randn(2, 6, 7, 9)
    torch.testing.assert_close(local_normalize(x, 9, 9, 6, 1e-5), functional.instance_norm(x))
    torch.testing.assert_close(local_normalize(x, 9, 9, 3, 1e-3), functional.group_norm(x, 3, eps=1e-3))
    torch.testing.assert_close(local_normalize(x, 9, 9, 1, 1e-5), functional.layer_norm(x, (6, 7, 9)))


@pytest.mark.parametrize("level", [0, 100])
def test_a_flat_map_with_an_edge_keeps_its_digits_at_any_level(level):
    x = torch.full((1, 1, 30, 40), float(level))
    x[..., 35:] += torch.rand(30, 5) * 1e-2
    assert np.abs(local_normalize(x, 8, 8, 1, 1e-5).numpy() - oracle(x, (8, 8), 1, 1e-5)).max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_is_exact_to_two_units_in_the_last_place_of_its_dtype(dtype):
    x = (torch.randn(1, 4, 12, 10) + 5).to(dtype)
    y = local_normalize(x, 5, 4, 2, 1e-5)
    expected = oracle(x, (5, 4), 2, 1e-5)
    assert y.dtype == dtype
    assert (
        np.abs(y.double().numpy() - expected) <= 2 * torch.finfo(dtype).eps * np.abs(expected) + 1e-12
    ).all()


def test_float64_is_computed_in_float64():
    x = torch.randn(1, 4, 12, 10, dtype=torch.float64) + 5
    y = local_normalize(x, 5, 4, 2, 1e-5)
    assert y.dtype == torch.float64
    assert relative_error(y, oracle(x, (5, 4), 2, 1e-5)) < 1e-12


def test_half_precision_does_not_overflow_on_large_maps():
    y = local_normalize((torch.randn(1, 1, 2048, 2048) + 60).half(), 2048, 1500, 1, 1e-5)
    assert torch.isfinite(y).all()
    assert 0.95 < y.float().std() < 1.05


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="4 groups do not divide 6 channels"):
        local_normalize(torch.zeros(1, 6, 3, 3), 2, 2, 4, 1e-5)


@pytest.mark.full
@pytest.mark.parametrize("level", [0, 100])
def test_a_large_mostly_flat_image_is_normalised_within_a_thousandth(level):
    x = mostly_flat(4096, level)
    y = local_normalize(x, 384, 384, 1, 1e-5)
    assert torch.isfinite(y).all()
    rows = [0, 1000, 2048, 2500, 4095]
    expected = [exact_pixel(x, i, j, 384) for i in rows for j in rows]
    assert np.abs(y[0, 0][rows][:, rows].flatten().numpy() - expected).max() <= 1e-3


def mostly_flat(size: int, level: float) -> torch.Tensor:
    """Values in [-1, 1] about ``level``; the first 60 % of the rows exactly flat."""
    x = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    x[..., : size * 6 // 10, :] = 0.5
    return x + level


def exact_pixel(x: torch.Tensor, i: int, j: int, k: int) -> float:
    top, left = (min(max(p - (k - 1) // 2, 0), n - k) for p, n in zip((i, j), x.shape[-2:], strict=True))
    crop = x[0, 0, top : top + k, left : left + k].double()
    return float((x[0, 0, i, j].double() - crop.mean()) / (crop.var(correction=0) + 1e-5).sqrt())


def test_the_oracle_of_large_images_agrees_with_the_small_one():
    x = torch.randn(1, 1, 9, 8)
    expected = [[exact_pixel(x, i, j, 5) for j in range(8)] for i in range(9)]
    assert relative_error(np.array(expected)[None, None], oracle(x, (5, 5), 1, 1e-5)) < 1e-12
