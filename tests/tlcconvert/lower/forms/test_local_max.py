import numpy as np
import pytest
import torch

from tests.window_oracle import on_every_window

WINDOWS = [(1, 1), (1, 4), (2, 1), (3, 5), (40, 9)]
SIZES = [(2, 11, 13), (1, 1, 1), (3, 8, 8), (1, 1, 20), (1, 20, 1), (1, 41, 37)]


def maxima(x):
    return tuple(torch.ops.tlc.local_max(x, *window) for window in WINDOWS)


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(maxima)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_file_is_exactly_the_maximum_of_every_crop_at_any_size(file, size):
    batch, height, width = size
    x = torch.randn(batch, 3, height, width) - 3
    for got, window in zip(file(x), WINDOWS, strict=True):
        np.testing.assert_array_equal(got, on_every_window(lambda crop: crop.max(axis=(2, 3)), x, *window))


def test_static_sizes_are_lowered_too(in_onnxruntime):
    x = torch.randn(1, 3, 9, 12)
    (got,) = in_onnxruntime(lambda x: torch.ops.tlc.local_max(x, 5, 40), dynamic=False, example=(1, 9, 12))(x)
    np.testing.assert_array_equal(got, torch.ops.tlc.local_max(x, 5, 40).numpy())
