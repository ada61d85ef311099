"""Average pools divide by what PyTorch divides by, kernels that hang over the border included."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

SETTINGS = list(itertools.product((2, 3), (1, 3), (0, 1), (False, True), (True, False), (None, 5)))[::3]


def pools(x):
    return tuple(functional.avg_pool2d(x, *settings) for settings in SETTINGS)


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(pools)


@pytest.mark.parametrize("size", [(3, 3), (4, 7), (5, 5), (11, 13), (64, 33)], ids=str)
def test_one_file_equals_pytorch_at_any_size(file, size):
    x = torch.rand(2, 3, *size)
    for settings, got in zip(SETTINGS, file(x), strict=True):
        expected = functional.avg_pool2d(x.double(), *settings).numpy()
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6, err_msg=str(settings))
