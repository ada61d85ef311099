import math

import pytest
import torch

from tests.passes.statistics.log_sum_exp.test_operator import of_crops

WINDOWS = [(1, 1), (1, 4), (3, 5), (20, 9)]
SIZES = [(2, 11, 13), (1, 1, 1), (3, 8, 8), (1, 1, 20), (1, 20, 1), (1, 21, 37)]
MAPS = {
    "noise": torch.randn,
    "flat": lambda *size: torch.full(size, 7.0),
    "from -1e4 to 1e4": lambda *size: torch.rand(size) * 2e4 - 1e4,
    "masked": lambda *size: torch.where(torch.rand(size) < 0.7, -math.inf, torch.randn(size)),
    "infinite": lambda *size: torch.where(torch.rand(size) < 0.1, math.inf, torch.randn(size)),
}


def log_sum_exps(x):
    return tuple(torch.ops.tlc.local_log_sum_exp(x, *window) for window in WINDOWS)


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(log_sum_exps)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("pixels", MAPS)
def test_one_file_equals_the_log_sum_exp_of_every_crop_at_any_size(file, size, pixels):
    batch, height, width = size
    x = MAPS[pixels](batch, 3, height, width)
    for got, window in zip(file(x), WINDOWS, strict=True):
        torch.testing.assert_close(torch.from_numpy(got).double(), of_crops(x, window), rtol=1e-6, atol=1e-6)


def test_static_sizes_are_lowered_too(in_onnxruntime):
    x = torch.randn(1, 3, 9, 12)
    operator = torch.ops.tlc.local_log_sum_exp
    (got,) = in_onnxruntime(lambda x: operator(x, 5, 40), dynamic=False, example=(1, 9, 12))(x)
    torch.testing.assert_close(torch.from_numpy(got), operator(x, 5, 40))
