import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import passes.statistics  # noqa: F401
from tests.grid_oracle import at_nodes
from tests.window_oracle import mean, on_every_window, relative_error

tlc = torch.ops.tlc


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    window=st.tuples(st.integers(1, 16), st.integers(1, 16)),
    ratio=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_every_node_is_the_mean_of_its_crop(batch, size, window, ratio, seed):
    x = torch.randn(batch, 2, *size, generator=torch.Generator().manual_seed(seed)) + 3
    oracle = at_nodes(on_every_window(mean, x, *window), *window, ratio)
    assert relative_error(tlc.grid_mean(x, *window, ratio), oracle) < 1e-6


@pytest.mark.parametrize("window", [(1, 1), (11, 23), (4, 9)])
def test_less_than_two_nodes_worth_of_pixels_per_step_is_the_exact_interior(window):
    x = torch.randn(2, 3, 20, 30)
    assert torch.equal(tlc.grid_mean(x, *window, 12), tlc.local_mean(x, *window))


def test_the_first_and_the_last_window_are_nodes():
    x = torch.randn(1, 2, 31, 45)
    grid, interior = tlc.grid_mean(x, 24, 36, 12), tlc.local_mean(x, 24, 36)
    assert grid.shape[-2:] == (5, 4)
    assert torch.equal(grid[..., [0, -1], :][..., [0, -1]], interior[..., [0, -1], :][..., [0, -1]])


def test_a_map_that_fits_its_window_has_one_node_the_global_mean():
    x = torch.randn(2, 3, 30, 40)
    torch.testing.assert_close(tlc.grid_mean(x, 30, 400, 12), x.mean((2, 3), keepdim=True))


def test_half_precision_neither_overflows_nor_loses_digits():
    x = (torch.randn(1, 1, 900, 900) + 60).half()
    got = tlc.grid_mean(x, 384, 384, 12)
    expected = tlc.grid_mean(x.double(), 384, 384, 12)
    assert (got - expected).abs().max() <= 60 * torch.finfo(torch.float16).eps


def test_a_grid_without_nodes_is_refused():
    with pytest.raises(ValueError, match="at least 1 node per window"):
        tlc.grid_mean(torch.zeros(1, 1, 4, 4), 3, 3, 0)


def test_symbolic_sizes_flow_through_whatever_the_example():
    class Site(torch.nn.Module):
        def forward(self, x):
            return tlc.grid_mean(x, 8, 5, 3)

    dynamic = torch.export.Dim.DYNAMIC
    for example in (torch.zeros(2, 3, 20, 30), torch.zeros(2, 3, 6, 4)):
        program = torch.export.export(
            Site(), (example,), dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},)
        )
        x, grid = (node.meta["val"] for node in list(program.graph.nodes)[:2])
        symbols = [size.node.expr for size in (x.shape[0], *x.shape[2:])]
        for sizes in ((1, 6, 9), (2, 19, 6), (1, 8, 5)):
            at = dict(zip(symbols, sizes, strict=True))
            expected = tlc.grid_mean(torch.zeros(sizes[0], 3, *sizes[1:]), 8, 5, 3).shape
            assert [grid.shape[axis].node.expr.subs(at) for axis in (0, 2, 3)] == [
                sizes[0],
                *expected[2:],
            ]
