import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import passes.statistics  # noqa: F401
from tests.grid_oracle import at_nodes, interpolated
from tests.window_oracle import on_every_window

tlc = torch.ops.tlc


def oracle(x: torch.Tensor, window: tuple[int, int], groups: int, eps: float, ratio: int) -> np.ndarray:
    """Statistics of whole groups of each node's crop, interpolated to every pixel."""
    size = x.shape[-2:]

    def statistic(of):
        def by_group(crop):
            return of(crop.reshape(crop.shape[0], groups, -1), axis=2)

        nodes = at_nodes(on_every_window(by_group, x, *window), *window, ratio)
        return interpolated(nodes, *size, *window, ratio).repeat(x.shape[1] // groups, axis=1)

    return (x.double().numpy() - statistic(np.mean)) / np.sqrt(statistic(np.var) + eps)


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 10), st.integers(1, 10)),
    window=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    groups=st.sampled_from([1, 2, 3, 6]),
    ratio=st.integers(1, 4),
)
def test_equals_each_pixel_normalised_by_interpolated_statistics(batch, size, window, groups, ratio):
    x = torch.randn(batch, 6, *size) * torch.arange(1, 7)[:, None, None] + 4
    got = tlc.grid_normalize(x, *window, groups, 1e-5, ratio).numpy()
    assert np.abs(got - oracle(x, window, groups, 1e-5, ratio)).max() < 1e-5


def test_a_ramp_is_normalised_exactly():
    x = torch.arange(70.0)[:, None] * 3 - torch.arange(90.0) * 2 + torch.zeros(1, 2, 70, 90)
    got, exact = tlc.grid_normalize(x, 36, 24, 2, 1e-5, 12), tlc.local_normalize(x, 36, 24, 2, 1e-5)
    torch.testing.assert_close(got, exact)


@pytest.mark.parametrize("groups", [1, 3, 6])
def test_at_spacing_one_it_is_the_exact_normalisation(groups):
    x = torch.randn(2, 6, 25, 30)
    got, exact = (
        tlc.grid_normalize(x, 23, 11, groups, 1e-5, 12),
        tlc.local_normalize(x, 23, 11, groups, 1e-5),
    )
    torch.testing.assert_close(got, exact)


def test_where_flat_meets_busy_the_result_stays_within_the_scale_of_the_busy_side():
    x = torch.zeros(1, 1, 48, 300)
    x[..., 150:] = torch.randn(48, 150)
    exact, got = (
        tlc.local_normalize(x, 48, 48, 1, 1e-5),
        tlc.grid_normalize(x, 48, 48, 1, 1e-5, 12),
    )
    assert got.abs().max() <= 1.5 * exact.abs().max()


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="4 groups do not divide 6 channels"):
        tlc.grid_normalize(torch.zeros(1, 6, 3, 3), 2, 2, 4, 1e-5, 12)
