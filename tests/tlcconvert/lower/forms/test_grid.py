"""The eager operators, themselves held against crops in float64, are the reference here."""

import numpy as np
import pytest
import torch

tlc = torch.ops.tlc

SITES = [((1, 1), 12, 6), ((24, 30), 12, 3), ((40, 9), 2, 1), ((100, 120), 12, 6)]
"""Windows, nodes per window and groups: exact, dense and blockwise rows, with and without a remainder."""
SIZES = [(2, 11, 13), (1, 1, 1), (3, 8, 8), (1, 1, 50), (1, 50, 1), (2, 41, 37), (1, 130, 170)]


def every_grid_operator(x):
    results = []
    for window, ratio, groups in SITES:
        grid = tlc.grid_mean(x, *window, ratio)
        results += [grid, tlc.grid_variance(x, *window, ratio)]
        results.append(tlc.grid_spread(grid, x.shape[2], x.shape[3], *window, ratio))
        results.append(tlc.grid_normalize(x, *window, groups, 1e-5, ratio))
    return tuple(results)


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(every_grid_operator, channels=(6,))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_file_equals_the_eager_operators_at_any_size(file, size):
    batch, height, width = size
    x = torch.randn(batch, 6, height, width) * torch.arange(1, 7)[:, None, None] + 4
    for number, (got, expected) in enumerate(zip(file(x), every_grid_operator(x), strict=True)):
        assert got.shape == expected.shape
        assert np.abs(got - expected.numpy()).max() <= 3e-5, (SITES[number // 4], number % 4)


def test_a_flat_map_with_an_edge_keeps_its_digits_at_a_high_level(in_onnxruntime):
    def operators(x):
        return tlc.grid_normalize(x, 48, 48, 1, 1e-5, 12), tlc.grid_variance(x, 48, 48, 12)

    x = torch.full((1, 1, 200, 300), 100.0)
    x[..., 250:] += torch.rand(200, 50) * 1e-2
    for got, expected in zip(in_onnxruntime(operators, channels=(1,))(x), operators(x), strict=True):
        assert np.abs(got - expected.numpy()).max() <= 1e-4


@pytest.mark.parametrize("channels", [1, 37, 64])
def test_blocks_of_rows_that_straddle_planes_and_a_high_level_lose_no_digits(in_onnxruntime, channels):
    file = in_onnxruntime(lambda x: tlc.grid_mean(x, 200, 110, 12), channels=(channels,))
    x = torch.rand(2, channels, 231, 140) / 100 + 10.1
    x[:, 0] += 1000
    expected = tlc.grid_mean(x.double(), 200, 110, 12).numpy()
    assert (np.abs(file(x)[0] - expected) / expected).max() <= 1e-6


def test_static_sizes_are_lowered_too(in_onnxruntime):
    def statistic(x):
        mean = tlc.grid_mean(x, 100, 40, 12)
        return mean, tlc.grid_spread(mean, 120, 50, 100, 40, 12)

    x = torch.randn(1, 6, 120, 50)
    file = in_onnxruntime(statistic, channels=(6,), dynamic=False, example=(1, 120, 50))
    for got, expected in zip(file(x), statistic(x), strict=True):
        assert np.abs(got - expected.numpy()).max() <= 1e-5
