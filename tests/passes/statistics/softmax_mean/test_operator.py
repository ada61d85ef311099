import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import passes.statistics  # noqa: F401
from tests.window_oracle import on_every_window, relative_error, softmax_mean

local_softmax_mean = torch.ops.tlc.local_softmax_mean


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    window=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    logit_channels=st.sampled_from([1, 3]),
    spread=st.sampled_from([0.0, 1.0, 300.0]),
)
def test_equals_the_softmax_weighted_mean_of_every_crop(batch, size, window, logit_channels, spread):
    x, logits = torch.randn(batch, 3, *size), torch.randn(batch, logit_channels, *size) * spread
    oracle = on_every_window(softmax_mean(3), torch.cat([x, logits], 1), *window)
    assert relative_error(local_softmax_mean(x, logits, *window), oracle) < 1e-6


def test_regions_whose_logits_differ_by_hundreds_keep_their_own_means():
    x, logits = torch.rand(1, 2, 40, 50), torch.rand(1, 1, 40, 50)
    logits[..., :25] -= 900
    logits[..., 30:] += 900
    oracle = on_every_window(softmax_mean(2), torch.cat([x, logits], 1), 8, 6)
    assert relative_error(local_softmax_mean(x, logits, 8, 6), oracle) < 1e-6


def test_equal_logits_give_the_mean():
    x = torch.randn(1, 2, 9, 9)
    torch.testing.assert_close(
        local_softmax_mean(x, torch.full((1, 1, 9, 9), -7.0), 4, 3), torch.ops.tlc.local_mean(x, 4, 3)
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_is_exact_to_two_units_in_the_last_place_of_its_dtype(dtype):
    x, logits = (torch.rand(1, 2, 20, 30) + 1).to(dtype), torch.randn(1, 1, 20, 30).to(dtype)
    y = local_softmax_mean(x, logits, 7, 11)
    oracle = on_every_window(softmax_mean(2), torch.cat([x, logits], 1), 7, 11)
    assert y.dtype == dtype
    assert (np.abs(y.double().numpy() - oracle) <= 2 * torch.finfo(dtype).eps * oracle).all()


def test_float64_is_computed_in_float64():
    x, logits = torch.randn(1, 2, 20, 30).double(), torch.randn(1, 1, 20, 30).double()
    y = local_softmax_mean(x, logits, 7, 11)
    assert y.dtype == torch.float64
    assert relative_error(y, on_every_window(softmax_mean(2), torch.cat([x, logits], 1), 7, 11)) < 1e-13


def test_a_window_without_pixels_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        local_softmax_mean(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), 0, 3)
