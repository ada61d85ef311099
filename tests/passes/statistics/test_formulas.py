"""Each operator written out in ATen computes what its eager kernel does, whatever the size and the window.

As a decomposition, which may take running sums in float64, and as a file for every runtime has it.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from passes.decompose import DECOMPOSITIONS
from passes.statistics import OPERATORS, Operator
from passes.statistics.to_pixels import TO_PIXELS
from passes.torch_internals.names import OpOverload
from passes.words import aten
from tests.operator_calls import arguments_of, name_of, names_of, options_of

tlc = torch.ops.tlc

SIZES = [(1, 1), (1, 7), (7, 1), (5, 6), (6, 5), (13, 9), (19, 16), (3, 40), (37, 26)]
WINDOWS = [(1, 1), (1, 4), (6, 5), (8, 8), (40, 9), (23, 31)]
BY_FORMULA = [operator for operator in OPERATORS if operator.formula is not None]
PORTABLE = {operator.overload: operator.formula for operator in OPERATORS if operator.formula is not None}
by_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def maps(size: tuple[int, int]) -> list[tuple[Tensor, tuple[int, int]]]:
    """With a window each."""
    torch.manual_seed(0)
    return [
        (torch.randn(1 + 2 * (number % 2), 6, *size) + 3, window) for number, window in enumerate(WINDOWS)
    ]


def assert_same(overload: OpOverload, *arguments: object, tolerance: float) -> None:
    expected = overload(*arguments)
    results = [DECOMPOSITIONS[overload](*arguments)]
    if overload in PORTABLE:
        results.append(PORTABLE[overload](aten, *arguments))
    for got in results:
        assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
        assert (got - expected).abs().max() <= tolerance * expected.abs().max()


def tolerance_of(operator: Operator) -> float:
    """Pixels are moved without a change; what is interpolated on a grid was divided by a small deviation."""
    names = names_of(operator)
    if operator in TO_PIXELS and "ratio" not in names:
        return 0.0
    return 5e-6 if {"groups", "ratio"} <= {*names} else 1e-6


@by_size
@pytest.mark.parametrize("operator", BY_FORMULA, ids=name_of)
def test_the_decomposition_is_the_operator(operator: Operator, size: tuple[int, int]) -> None:
    for x, window in maps(size):
        for options in options_of(operator, groups=(1, 2, 6), ratio=(1, 2, 3, 50), logits=(1, 6)):
            arguments = arguments_of(operator, x, window, **options)
            assert_same(operator.overload, *arguments, tolerance=tolerance_of(operator))


@by_size
def test_the_decomposition_of_attention_is_the_operator(size: tuple[int, int]) -> None:
    for x, window in maps(size):
        attended(x, window)


def attended(x: Tensor, window: tuple[int, int]) -> None:
    query, key, value = x[:, :4] - 3, torch.randn_like(x), torch.randn_like(x)
    per_head, per_image = torch.rand(2, 1, 1), torch.rand(len(x), 1, 1, 1)
    for arguments in (
        (None, 2, *window),
        (per_head, 2, *window),
        (per_image, 2, *window, True, 0.5, 0.3),
        (torch.rand(()), 2, *window, False, 1e-12, 1.0, "relu"),
        (None, 1, *window, False, 1e-12, 0.1, "identity"),
    ):
        assert_same(tlc.window_attention.default, query, key, value, *arguments, tolerance=3e-6)


def test_a_flat_map_has_no_variance_and_stays_finite_when_normalised():
    x = torch.full((2, 6, 13, 9), 100.0)
    assert (DECOMPOSITIONS[tlc.local_variance.default](x, 6, 5) == 0).all()
    assert (PORTABLE[tlc.local_variance.default](aten, x, 6, 5) == 0).all()
    assert (DECOMPOSITIONS[tlc.local_normalize.default](x, 6, 5, 6, 1e-5).abs() < 1e-6).all()
    assert (PORTABLE[tlc.local_normalize.default](aten, x, 6, 5, 6, 1e-5).abs() < 1e-6).all()


def test_every_operator_has_a_decomposition():
    names = {
        name.split("::")[1] for name in torch._C._dispatch_get_all_op_names() if name.startswith("tlc::")
    }
    assert {operator._schema.name for operator in DECOMPOSITIONS} == {f"tlc::{name}" for name in names}
