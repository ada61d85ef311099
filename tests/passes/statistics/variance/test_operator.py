import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import passes.statistics  # noqa: F401
from tests.window_oracle import on_every_window, relative_error

local_variance = torch.ops.tlc.local_variance


def variance(crop):
    return crop.var(axis=(2, 3))


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    window=st.tuples(st.integers(1, 15), st.integers(1, 15)),
    level=st.sampled_from([0.0, 1.0, 1e3]),
)
def test_equals_the_biased_variance_of_every_crop(batch, size, window, level):
    x = torch.randn(batch, 2, *size) + level
    oracle = on_every_window(variance, x, *window)
    assert np.abs(local_variance(x, *window).numpy() - oracle).max() <= 1e-6 * (1 + oracle.max())


def test_is_nought_and_never_negative_where_the_map_is_flat():
    x = torch.full((1, 1, 200, 300), 123.456)
    x[..., :60] = torch.randn(200, 60) * 100
    flat = local_variance(x, 24, 48)[..., 60:]
    assert flat.min() >= 0
    assert flat.max() <= 1e-8


def test_one_pixel_has_no_variance():
    assert torch.equal(local_variance(torch.randn(1, 2, 4, 5), 1, 1), torch.zeros(1, 2, 4, 5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_is_exact_to_two_units_in_the_last_place_of_its_dtype(dtype):
    x = (torch.randn(1, 2, 40, 30) + 5).to(dtype)
    y = local_variance(x, 9, 7)
    oracle = on_every_window(variance, x, 9, 7)
    assert y.dtype == dtype
    assert (np.abs(y.double().numpy() - oracle) <= 2 * torch.finfo(dtype).eps * oracle).all()


def test_half_precision_does_not_overflow_on_large_maps():
    x = (torch.randn(1, 1, 2048, 2048) + 60).half()
    y = local_variance(x, 1024, 2048)
    assert (
        relative_error(
            y[..., :1, :], x[..., :1024, :].double().var((2, 3), correction=0, keepdim=True).numpy()
        )
        < 1e-3
    )


def test_float64_is_computed_in_float64():
    x = torch.randn(1, 2, 40, 30, dtype=torch.float64) + 100
    y = local_variance(x, 9, 7)
    assert y.dtype == torch.float64
    assert relative_error(y, on_every_window(variance, x, 9, 7)) < 1e-12


def test_a_window_without_pixels_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        local_variance(torch.zeros(1, 1, 4, 4), 3, 0)
