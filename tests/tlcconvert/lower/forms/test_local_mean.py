import numpy as np
import pytest
import torch

from tests.window_oracle import mean, on_every_window, relative_error

WINDOWS = [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5), (8, 8), (40, 9)]
SIZES = [(2, 11, 13), (1, 1, 1), (3, 8, 8), (1, 1, 20), (1, 20, 1), (2, 3, 9), (1, 41, 37), (1, 7, 9)]


def means(x):
    return tuple(torch.ops.tlc.local_mean(x, *window) for window in WINDOWS)


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(means)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_file_equals_the_mean_of_every_crop_at_any_size(file, size):
    batch, height, width = size
    x = torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(1)) + 10
    for got, window in zip(file(x), WINDOWS, strict=True):
        assert relative_error(got, on_every_window(mean, x, *window)) <= 1e-6, window


def test_a_one_pixel_window_changes_nothing(file):
    x = torch.randn(1, 3, 6, 5)
    np.testing.assert_array_equal(file(x)[0], x.numpy())


@pytest.mark.parametrize("example", [(1, 9, 12), (1, 1, 1)], ids=str)
def test_static_sizes_are_lowered_too(in_onnxruntime, example):
    x = torch.randn(example[0], 3, *example[1:])
    for got, expected in zip(in_onnxruntime(means, dynamic=False, example=example)(x), means(x), strict=True):
        torch.testing.assert_close(torch.from_numpy(got), expected)


@pytest.mark.full
def test_is_within_a_hundred_thousandth_on_a_large_map(in_onnxruntime):
    windows = [1, 2, 3, 24, 48, 96, 384]
    file = in_onnxruntime(lambda x: tuple(torch.ops.tlc.local_mean(x, k, k) for k in windows), channels=(1,))
    for seed in range(3):
        x = torch.randn(1, 1, 2048, 2048, generator=torch.Generator().manual_seed(seed)) + 10
        for got, k in zip(file(x), windows, strict=True):
            oracle = torch.ops.tlc.local_mean(x.double(), k, k).numpy()
            assert relative_error(got, oracle) <= 1e-5, k
