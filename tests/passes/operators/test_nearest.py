from fractions import Fraction
from math import floor

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import passes.statistics  # noqa: F401

nearest = torch.ops.tlc.nearest
length = st.integers(1, 40)


@given(source=st.tuples(length, length), target=st.tuples(length, length))
def test_every_pixel_takes_the_source_pixel_its_centre_falls_in(source, target):
    x = torch.randn(2, 3, *source)
    rows, columns = (
        [floor((i + Fraction(1, 2)) * n / m) for i in range(m)] for n, m in zip(source, target, strict=True)
    )
    assert torch.equal(nearest(x, *target), x[:, :, rows][:, :, :, columns])


def test_the_same_size_changes_nothing():
    x = torch.randn(1, 2, 5, 7)
    assert torch.equal(nearest(x, 5, 7), x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_keeps_the_dtype(dtype):
    assert nearest(torch.zeros(1, 1, 2, 3, dtype=dtype), 4, 5).dtype == dtype
