"""Each operator written out in ATen computes what its eager kernel does, whatever the size and the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import passes.statistics  # noqa: F401
from passes.decompose import DECOMPOSITIONS

tlc = torch.ops.tlc

SIZES = [(1, 1), (1, 7), (7, 1), (5, 6), (6, 5), (13, 9), (19, 16), (3, 40), (37, 26)]
WINDOWS = [(1, 1), (1, 4), (6, 5), (8, 8), (40, 9)]


def assert_same(operator: Any, *arguments: Any, tolerance: float = 1e-6) -> None:
    got, expected = DECOMPOSITIONS[operator.default](*arguments), operator(*arguments)
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    assert (got - expected).abs().max() <= tolerance * expected.abs().max()


def windowed(x: Tensor, window: tuple[int, int]) -> None:
    for operator in (tlc.local_mean, tlc.local_max, tlc.local_variance):
        assert_same(operator, x, *window)


def normalised(x: Tensor, window: tuple[int, int]) -> None:
    for groups in (1, 2, 6):
        assert_same(tlc.local_normalize, x, *window, groups, 1e-5)


def weighted(x: Tensor, window: tuple[int, int]) -> None:
    for channels in (1, 6):
        assert_same(tlc.local_softmax_mean, x, 30 * torch.randn_like(x[:, :channels]), *window)


def resampled(x: Tensor, window: tuple[int, int]) -> None:
    assert_same(tlc.replicate, tlc.local_mean(x, *window), *x.shape[2:], tolerance=0)
    assert_same(tlc.replicated_product, x, tlc.local_mean(x, *window), tolerance=0)
    assert_same(tlc.nearest, x, *window, tolerance=0)


def on_a_grid(x: Tensor, window: tuple[int, int]) -> None:
    for ratio in (1, 2, 3, 50):
        assert_same(tlc.grid_mean, x, *window, ratio)
        assert_same(tlc.grid_variance, x, *window, ratio)
        assert_same(tlc.grid_spread, tlc.grid_mean(x, *window, ratio), *x.shape[2:], *window, ratio)
        assert_same(tlc.spread_product, x, tlc.grid_mean(x, *window, ratio), *window, ratio)
        for groups in (1, 2, 6):
            assert_same(tlc.grid_normalize, x, *window, groups, 1e-5, ratio, tolerance=5e-6)


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
        assert_same(tlc.window_attention, query, key, value, *arguments, tolerance=3e-6)


CHECKS: list[Callable[[Tensor, tuple[int, int]], None]] = [
    windowed, normalised, weighted, resampled, on_a_grid, attended,
]  # fmt: skip


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_decomposition_is_the_operator(check, size):
    torch.manual_seed(0)
    for number, window in enumerate(WINDOWS):
        check(torch.randn(1 + 2 * (number % 2), 6, *size) + 3, window)


def test_a_flat_map_has_no_variance_and_stays_finite_when_normalised():
    x = torch.full((2, 6, 13, 9), 100.0)
    assert (DECOMPOSITIONS[tlc.local_variance.default](x, 6, 5) == 0).all()
    assert (DECOMPOSITIONS[tlc.local_normalize.default](x, 6, 5, 6, 1e-5).abs() < 1e-6).all()


def test_every_operator_has_a_decomposition():
    names = {
        name.split("::")[1] for name in torch._C._dispatch_get_all_op_names() if name.startswith("tlc::")
    }
    assert {operator._schema.name for operator in DECOMPOSITIONS} == {f"tlc::{name}" for name in names}
