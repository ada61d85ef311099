"""Every operator's ONNX form is its eager kernel, at every opset a file can be written for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from passes.statistics import OPERATORS
from tests.operator_calls import arguments_of, name_of

Runner = Callable[..., list[np.ndarray]]


def every_operator(x: Tensor) -> tuple[Tensor, ...]:
    return tuple(operator.overload(*arguments_of(operator, x, (3, 40))) for operator in OPERATORS)


@pytest.fixture(scope="module")
def at_opset_18(in_onnxruntime: Callable[..., Runner]) -> Runner:
    return in_onnxruntime(every_operator, channels=(4,))


@pytest.mark.parametrize("size", [(2, 4, 11, 13), (1, 4, 2, 50), (1, 4, 1, 1)], ids=str)
def test_every_operator_is_its_eager_kernel(at_opset_18: Runner, size: tuple[int, ...]) -> None:
    x = torch.randn(size) + 1
    for operator, got, expected in zip(OPERATORS, at_opset_18(x), every_operator(x), strict=True):
        scale = max(1.0, expected.abs().max().item())
        np.testing.assert_allclose(
            got, expected.numpy(), rtol=0, atol=1e-5 * scale, err_msg=name_of(operator)
        )


@pytest.mark.parametrize("opset", [pytest.param(21, marks=pytest.mark.full), 24])
def test_every_operator_gives_the_same_numbers_at_later_opsets(
    in_onnxruntime: Callable[..., Runner], at_opset_18: Runner, opset: int
) -> None:
    x = torch.randn(2, 4, 11, 13)
    later = in_onnxruntime(every_operator, channels=(4,), opset=opset)(x)
    for got, expected in zip(later, at_opset_18(x), strict=True):
        np.testing.assert_array_equal(got, expected)
