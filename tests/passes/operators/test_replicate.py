import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import passes.statistics  # noqa: F401

replicate = torch.ops.tlc.replicate


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    window=st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_every_pixel_takes_the_window_clamped_around_it(size, window):
    k = [min(pair) for pair in zip(size, window, strict=True)]
    interior = torch.randn(2, 3, size[0] - k[0] + 1, size[1] - k[1] + 1)
    start = [np.clip(np.arange(n) - (m - 1) // 2, 0, n - m) for n, m in zip(size, k, strict=True)]
    assert torch.equal(replicate(interior, *size), interior[:, :, start[0]][:, :, :, start[1]])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_keeps_the_dtype(dtype):
    assert torch.equal(
        replicate(torch.ones(1, 2, 1, 3, dtype=dtype), 4, 4), torch.ones(1, 2, 4, 4, dtype=dtype)
    )


def test_an_interior_of_full_size_is_returned_in_new_memory():
    interior = torch.randn(1, 2, 3, 4)
    padded = replicate(interior, 3, 4)
    assert torch.equal(padded, interior)
    assert padded.data_ptr() != interior.data_ptr()


def test_an_interior_larger_than_the_map_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        replicate(torch.zeros(1, 1, 5, 5), 4, 6)
