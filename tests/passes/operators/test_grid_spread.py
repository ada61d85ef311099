import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import passes.statistics  # noqa: F401
from tests.grid_oracle import interpolated
from tests.window_oracle import relative_error

tlc = torch.ops.tlc


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 16), st.integers(1, 16)),
    window=st.tuples(st.integers(1, 18), st.integers(1, 18)),
    ratio=st.integers(1, 6),
)
def test_pixels_between_nodes_are_interpolated_and_those_beyond_take_the_nearest(batch, size, window, ratio):
    grid = torch.randn_like(tlc.grid_mean(torch.zeros(batch, 2, *size), *window, ratio))
    oracle = interpolated(grid.double().numpy(), *size, *window, ratio)
    assert relative_error(tlc.grid_spread(grid, *size, *window, ratio), oracle) < 1e-6


@pytest.mark.parametrize("ratio", [1, 3, 12])
def test_the_means_of_a_ramp_are_exact(ratio):
    x = torch.arange(61.0)[:, None] * 3 - torch.arange(83.0) * 2 + torch.zeros(1, 1, 61, 83)
    spread = tlc.grid_spread(tlc.grid_mean(x, 24, 37, ratio), 61, 83, 24, 37, ratio)
    exact = tlc.replicate(tlc.local_mean(x, 24, 37), 61, 83)
    torch.testing.assert_close(spread, exact, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("size", [(20, 30), (7, 50), (1, 1)])
def test_at_spacing_one_it_is_replication(size):
    interior = tlc.local_mean(torch.randn(2, 3, *size), 11, 23)
    assert torch.equal(tlc.grid_spread(interior, *size, 11, 23, 12), tlc.replicate(interior, *size))


def test_a_grid_of_another_map_is_refused():
    with pytest.raises(ValueError, match="a map of 60x60 has 4x4 nodes, not 3x4"):
        tlc.grid_spread(torch.zeros(1, 1, 3, 4), 60, 60, 30, 30, 3)
