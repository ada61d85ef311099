"""A local log-sum-exp is that of every crop, in the kernel and in both forms it is written in."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from passes.decompose import DECOMPOSITIONS
from tests.window_oracle import on_every_window

local_log_sum_exp = torch.ops.tlc.local_log_sum_exp

MAPS: dict[str, Callable[..., Tensor]] = {
    "noise": torch.randn,
    "flat": lambda *size: torch.full(size, 7.0),
    "from -1e4 to 1e4": lambda *size: torch.rand(size) * 2e4 - 1e4,
    "masked": lambda *size: torch.where(torch.rand(size) < 0.7, -math.inf, torch.randn(size)),
    "nothing but masked": lambda *size: torch.full(size, -math.inf),
    "infinite": lambda *size: torch.where(torch.rand(size) < 0.1, math.inf, torch.randn(size)),
    "the largest float32": lambda *size: torch.finfo(torch.float32).max * torch.randn(size).sign(),
}

maps = st.sampled_from(list(MAPS.values()))
sizes = st.tuples(st.integers(1, 14), st.integers(1, 14))
windows = st.tuples(st.integers(1, 20), st.integers(1, 20))


def of_crop(crop: np.ndarray) -> np.ndarray:
    """In float64: the terms relative to the largest one, smallest first."""
    pixels = np.sort(crop.reshape(*crop.shape[:2], -1), axis=-1)
    largest = pixels[..., -1]
    offset = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore", over="ignore"):
        return offset + np.log(np.exp(pixels - offset[..., None]).sum(axis=-1))


def of_crops(x: Tensor, window: tuple[int, int]) -> Tensor:
    return torch.from_numpy(on_every_window(of_crop, x, *window))


@settings(max_examples=80, deadline=None)
@given(batch=st.integers(1, 2), size=sizes, window=windows, make=maps)
def test_equals_the_log_of_the_sum_of_exp_of_every_crop(batch, size, window, make):
    x = make(batch, 2, *size).double()
    got = local_log_sum_exp(x, *window)
    torch.testing.assert_close(got, of_crops(x, window), rtol=1e-14, atol=1e-13)


@settings(max_examples=80, deadline=None)
@given(batch=st.integers(1, 2), size=sizes, window=windows, make=maps)
def test_its_formula_in_aten_is_as_near_as_float32_reaches(batch, size, window, make):
    x = make(batch, 2, *size)
    got = DECOMPOSITIONS[local_log_sum_exp.default](x, *window)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.double(), of_crops(x, window), rtol=1e-6, atol=1e-6)


def test_a_dark_region_beside_a_bright_one_keeps_its_digits():
    """Relative to the largest pixel of the map, every term of the left half would be 0."""
    x = torch.randn(1, 2, 40, 50)
    x[..., :25] -= 900
    for got in (local_log_sum_exp(x, 8, 6), DECOMPOSITIONS[local_log_sum_exp.default](x, 8, 6)):
        torch.testing.assert_close(got.double(), of_crops(x, (8, 6)), rtol=2e-7, atol=0)
        assert (got[..., :19] < -890).all()


def test_equal_pixels_give_their_value_and_the_log_of_their_number():
    torch.testing.assert_close(
        local_log_sum_exp(torch.full((1, 1, 9, 9), 3.0), 4, 5), torch.full((1, 1, 6, 5), 3 + math.log(20))
    )


def test_a_one_pixel_window_returns_the_very_same_numbers_in_new_memory():
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64)
    y = local_log_sum_exp(x, 1, 1)
    assert torch.equal(y, x)
    assert y.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_is_exact_to_a_unit_in_the_last_place_of_its_dtype(dtype):
    x = (torch.randn(1, 2, 20, 30) + 1).to(dtype)
    y, expected = local_log_sum_exp(x, 7, 11), of_crops(x, (7, 11))
    assert y.dtype == dtype
    assert ((y.double() - expected).abs() <= torch.finfo(dtype).eps * expected.abs()).all()


def test_a_window_without_pixels_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        local_log_sum_exp(torch.zeros(1, 1, 4, 4), 0, 3)
