import pytest
import torch


def pad_means(x):
    """Interiors of several windows back at the size of the map."""
    height, width = x.shape[2:]
    return tuple(
        torch.ops.tlc.replicate(torch.ops.tlc.local_mean(x, *window), height, width)
        for window in [(1, 1), (2, 3), (8, 5), (30, 30)]
    )


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(pad_means)


@pytest.mark.parametrize("size", [(2, 11, 13), (1, 1, 1), (3, 8, 8), (1, 5, 40), (1, 40, 31)], ids=str)
def test_one_file_equals_the_eager_operator_at_any_size(file, size):
    batch, height, width = size
    x = torch.randn(batch, 3, height, width)
    for got, expected in zip(file(x), pad_means(x), strict=True):
        torch.testing.assert_close(torch.from_numpy(got), expected, rtol=1e-5, atol=1e-6)


def test_static_sizes_are_lowered_too(in_onnxruntime):
    x = torch.randn(2, 3, 9, 12)
    for got, expected in zip(
        in_onnxruntime(pad_means, dynamic=False, example=(2, 9, 12))(x), pad_means(x), strict=True
    ):
        torch.testing.assert_close(torch.from_numpy(got), expected, rtol=1e-5, atol=1e-6)
