import numpy as np
import pytest
import torch


def resample(x, y):
    """x at the size of y and at a fixed one."""
    return torch.ops.tlc.nearest(x, y.shape[2], y.shape[3]), torch.ops.tlc.nearest(x, 5, 70)


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(resample, channels=(3, 1))


@pytest.mark.parametrize("target", [(11, 13), (1, 1), (22, 39), (3, 70), (101, 2)], ids=str)
@pytest.mark.parametrize("source", [(11, 13), (1, 1), (7, 64)], ids=str)
def test_one_file_equals_the_eager_operator_at_any_size(file, source, target):
    x, y = torch.randn(2, 3, *source), torch.zeros(2, 1, *target)
    for got, expected in zip(file(x, y), resample(x, y), strict=True):
        np.testing.assert_array_equal(got, expected.numpy())


def test_static_sizes_are_lowered_too(in_onnxruntime):
    x, y = torch.randn(2, 3, 6, 7), torch.zeros(2, 1, 6, 7)
    file = in_onnxruntime(resample, channels=(3, 1), dynamic=False, example=(2, 6, 7))
    np.testing.assert_array_equal(file(x, y)[1], resample(x, y)[1].numpy())
