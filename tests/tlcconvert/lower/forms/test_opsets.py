"""Every operator's ONNX form holds at every opset a file can be written for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

tlc = torch.ops.tlc

Runner = Callable[..., list[np.ndarray]]


def every_operator(x: Tensor, logits: Tensor) -> tuple[Tensor, ...]:
    query, key = x.chunk(2, 1)
    return (
        tlc.grid_normalize(x, 3, 4, 2, 1e-5, 2),
        tlc.grid_spread(tlc.grid_mean(x, 3, 4, 2), x.shape[2], x.shape[3], 3, 4, 2),
        tlc.grid_variance(x, 3, 4, 2),
        tlc.local_max(x, 3, 4),
        tlc.local_mean(x, 3, 40),
        tlc.local_normalize(x, 3, 4, 2, 1e-5),
        tlc.local_softmax_mean(x, logits, 3, 4),
        tlc.local_variance(x, 3, 4),
        tlc.nearest(x, 5, 7),
        tlc.replicate(x, 30, 40),
        tlc.replicated_product(x, tlc.local_mean(x, 3, 40)),
        tlc.spread_product(x, tlc.grid_mean(x, 3, 4, 2), 3, 4, 2),
        tlc.window_attention(query, key, query, None, 1, 5, 6),
    )


@pytest.fixture(scope="module")
def at_opset_18(in_onnxruntime: Callable[..., Runner]) -> Runner:
    return in_onnxruntime(every_operator, channels=(4, 1))


@pytest.mark.parametrize("opset", [pytest.param(21, marks=pytest.mark.full), 24])
def test_every_operator_gives_the_same_numbers_at_later_opsets(
    in_onnxruntime: Callable[..., Runner], at_opset_18: Runner, opset: int
) -> None:
    maps = torch.randn(2, 4, 11, 13), torch.randn(2, 1, 11, 13)
    later = in_onnxruntime(every_operator, channels=(4, 1), opset=opset)(*maps)
    for got, expected in zip(later, at_opset_18(*maps), strict=True):
        np.testing.assert_array_equal(got, expected)
