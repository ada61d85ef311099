import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import passes.statistics  # noqa: F401
from tests.window_oracle import on_every_window

local_max = torch.ops.tlc.local_max


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    window=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
)
def test_is_exactly_the_maximum_of_every_crop(batch, size, window, dtype):
    x = torch.randn(batch, 2, *size).to(dtype) - 3
    y = local_max(x, *window)
    assert y.dtype == dtype
    np.testing.assert_array_equal(
        y.double().numpy(), on_every_window(lambda crop: crop.max(axis=(2, 3)), x, *window)
    )


def test_a_one_pixel_window_returns_the_very_same_numbers_in_new_memory():
    x = torch.randn(1, 2, 3, 4)
    y = local_max(x, 1, 1)
    assert torch.equal(y, x)
    assert y.data_ptr() != x.data_ptr()


def test_a_window_without_pixels_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        local_max(torch.zeros(1, 1, 4, 4), -1, 3)
