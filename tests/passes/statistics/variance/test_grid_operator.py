import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import passes.statistics  # noqa: F401
from tests.grid_oracle import at_nodes
from tests.window_oracle import on_every_window, relative_error

grid_variance = torch.ops.tlc.grid_variance


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    window=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    ratio=st.integers(1, 5),
)
def test_every_node_is_the_variance_of_its_crop(batch, size, window, ratio):
    x = torch.randn(batch, 2, *size) + 100
    oracle = at_nodes(on_every_window(lambda crop: crop.var(axis=(2, 3)), x, *window), *window, ratio)
    assert relative_error(grid_variance(x, *window, ratio), oracle) < 1e-6 or abs(oracle).max() < 1e-12


@pytest.mark.parametrize("level", [0.1, 100.3])
def test_a_flat_map_has_no_variance_at_any_level(level):
    variance = grid_variance(torch.full((1, 1, 60, 70), level), 24, 36, 12)
    assert (variance >= 0).all()
    assert variance.max() < 1e-12
