import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import passes.statistics  # noqa: F401
from tests.window_oracle import mean, on_every_window, relative_error

local_mean = torch.ops.tlc.local_mean


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    window=st.tuples(st.integers(1, 15), st.integers(1, 15)),
    seed=st.integers(0, 99),
)
def test_equals_the_mean_of_every_crop(batch, size, window, seed):
    x = torch.randn(batch, 2, *size, generator=torch.Generator().manual_seed(seed)) + 3
    assert relative_error(local_mean(x, *window), on_every_window(mean, x, *window)) < 1e-6


def test_a_window_that_covers_the_map_is_the_global_mean():
    x = torch.randn(2, 3, 7, 9)
    torch.testing.assert_close(local_mean(x, 7, 100), x.mean((2, 3), keepdim=True))


def test_a_one_pixel_window_returns_the_very_same_numbers_in_new_memory():
    x = torch.randn(2, 3, 5, 6)
    y = local_mean(x, 1, 1)
    assert torch.equal(y, x)
    assert y.data_ptr() != x.data_ptr()


def test_float64_is_computed_in_float64():
    x = torch.randn(1, 2, 40, 50, dtype=torch.float64) + 100
    y = local_mean(x, 9, 12)
    assert y.dtype == torch.float64
    assert relative_error(y, on_every_window(mean, x, 9, 12)) < 1e-14


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_neither_overflows_nor_loses_digits(dtype):
    x = (torch.randn(1, 1, 2048, 2048, generator=torch.Generator().manual_seed(0)) + 60).to(dtype)
    y = local_mean(x, 384, 384)
    spacing = 60 * torch.finfo(dtype).eps
    oracle = np.array(
        [[x[0, 0, i : i + 384, j : j + 384].double().mean() for j in (0, 700, 1664)] for i in (0, 1664)]
    )
    assert y.dtype == dtype
    assert np.abs(y[0, 0, [0, 1664]][:, [0, 700, 1664]].double().numpy() - oracle).max() <= 2 * spacing


def test_a_window_without_pixels_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        local_mean(torch.zeros(1, 1, 4, 4), 0, 3)


def test_symbolic_sizes_flow_through_whatever_the_example():
    class Site(torch.nn.Module):
        def forward(self, x):
            return local_mean(x, 8, 5)

    dynamic = torch.export.Dim.DYNAMIC
    for example in (torch.zeros(2, 3, 20, 30), torch.zeros(2, 3, 6, 4)):
        program = torch.export.export(
            Site(), (example,), dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},)
        )
        x, interior = (node.meta["val"] for node in list(program.graph.nodes)[:2])
        assert all(isinstance(size, torch.SymInt) for size in (x.shape[0], *x.shape[2:]))
        at = dict(zip((size.node.expr for size in (x.shape[0], *x.shape[2:])), (1, 6, 9), strict=True))
        assert [interior.shape[axis].node.expr.subs(at) for axis in (0, 2, 3)] == [1, 1, 5]


@pytest.mark.full
@pytest.mark.parametrize("window", [1, 2, 3, 24, 48, 96, 384])
def test_is_exact_on_a_large_map(window):
    x = torch.randn(1, 1, 2048, 2048, generator=torch.Generator().manual_seed(window)) + 10
    assert relative_error(local_mean(x, window, window), exact_mean(x, window)) <= 1e-7


def exact_mean(x: torch.Tensor, window: int) -> np.ndarray:
    """Means of a map too large to crop: sums of integers, which are exact in any order."""
    scaled = (x.double() * 2**26).round()
    assert torch.equal((scaled / 2**26).float(), x)
    table = np.pad(scaled.long().numpy().cumsum(-1).cumsum(-2), ((0, 0), (0, 0), (1, 0), (1, 0)))
    k = window
    sums = table[..., k:, k:] - table[..., :-k, k:] - table[..., k:, :-k] + table[..., :-k, :-k]
    return sums / 2**26 / window**2
