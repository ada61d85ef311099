import numpy as np
import pytest
import torch

from tests.window_oracle import on_every_window

WINDOWS = [(1, 1), (1, 4), (3, 5), (40, 9)]
SIZES = [(2, 11, 13), (1, 1, 1), (3, 8, 8), (1, 1, 20), (1, 20, 1), (1, 41, 37)]


def variances(x):
    return tuple(torch.ops.tlc.local_variance(x, *window) for window in WINDOWS)


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(variances)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_file_equals_the_variance_of_every_crop_at_any_size(file, size):
    batch, height, width = size
    x = torch.randn(batch, 3, height, width) + 10
    for got, window in zip(file(x), WINDOWS, strict=True):
        oracle = on_every_window(lambda crop: crop.var(axis=(2, 3)), x, *window)
        assert np.abs(got - oracle).max() <= 1e-6 * (1 + oracle.max()), window


def test_is_never_negative_where_the_map_is_flat(file):
    x = torch.full((1, 3, 200, 300), 123.456)
    x[..., :60] = torch.randn(200, 60) * 100
    for variance in file(x):
        assert variance.min() >= 0
        assert variance[..., 60:].max() <= 1e-8


def test_static_sizes_are_lowered_too(in_onnxruntime):
    x = torch.randn(1, 3, 9, 12)
    for got, expected in zip(
        in_onnxruntime(variances, dynamic=False, example=(1, 9, 12))(x), variances(x), strict=True
    ):
        torch.testing.assert_close(torch.from_numpy(got), expected)
