import pytest
import torch

from tests.window_oracle import on_every_window, relative_error, softmax_mean

WINDOWS = [(1, 4), (3, 5), (20, 9)]
SIZES = [(2, 11, 13), (1, 1, 1), (3, 8, 8), (1, 1, 20), (1, 20, 1), (1, 21, 37)]


def means(x, shared, own):
    """With one logit map for all channels, and with one each."""
    softmax_mean = torch.ops.tlc.local_softmax_mean
    return tuple(softmax_mean(x, logits, *window) for window in WINDOWS for logits in (shared, own))


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(means, channels=(3, 1, 3))


@pytest.mark.parametrize("spread", [1, 300])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_file_equals_the_softmax_weighted_mean_of_every_crop_at_any_size(file, size, spread):
    batch, height, width = size
    x, shared, own = (torch.randn(batch, channels, height, width) for channels in (3, 1, 3))
    shared, own = shared * spread, own * spread
    got = iter(file(x, shared, own))
    for window in WINDOWS:
        for logits in (shared, own):
            oracle = on_every_window(softmax_mean(3), torch.cat([x, logits], 1), *window)
            assert relative_error(next(got), oracle) <= 1e-5, window


def test_static_sizes_are_lowered_too(in_onnxruntime):
    def mean(x, logits):
        return torch.ops.tlc.local_softmax_mean(x, logits, 5, 40)

    x, logits = torch.randn(1, 3, 9, 12), torch.randn(1, 1, 9, 12)
    (got,) = in_onnxruntime(mean, channels=(3, 1), dynamic=False, example=(1, 9, 12))(x, logits)
    torch.testing.assert_close(torch.from_numpy(got), mean(x, logits))
