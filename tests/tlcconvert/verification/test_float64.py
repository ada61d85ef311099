"""The float64 run excuses rounding of PyTorch's own size, four times that at most, and never more than 1e-3."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.verification.compare import compare_callables

TOLERANCE = 1e-5


class Off(nn.Module):
    """Exact in float64; in float32 off by ``amount`` everywhere. Its largest output is 1."""

    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount

    def forward(self, x: Tensor) -> Tensor:
        exact = x.clamp(0.5, 0.5) * 2
        return exact if x.dtype is torch.float64 else exact + self.amount


def passes(own: float, candidate: float) -> bool:
    """Whether a result ``candidate`` from the truth passes where PyTorch is ``own`` from it."""
    parity = compare_callables(Off(candidate), Off(own), NetworkInputs(3), [(1, 4, 5)], TOLERANCE, "a / b")
    return parity.passed


@pytest.mark.parametrize("own", [1e-4, -1e-4, 2e-5])
def test_four_times_pytorchs_own_distance_is_the_most(own: float) -> None:
    assert passes(own, -3.9 * own)
    assert not passes(own, -4.2 * own)
    assert not passes(own, -40 * own)


def test_beyond_a_thousandth_nothing_is_excused() -> None:
    assert passes(8e-4, -0.95e-3)
    assert not passes(8e-4, -1.05e-3)
    assert not passes(0.5, -0.4)


def test_a_network_that_rounds_as_usual_excuses_nothing() -> None:
    assert passes(0, 0.9e-5)
    assert not passes(0, 1.1e-5)
    # A quarter of the tolerance is where being ill conditioned begins.
    assert not passes(2.4e-6, 1.4e-5)


class WithoutFloat64(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.dtype is torch.float64:
            raise TypeError("no float64")
        return x + 1e-4


def test_where_there_is_no_float64_run_nothing_is_excused() -> None:
    parity = compare_callables(
        lambda x: x, WithoutFloat64(), NetworkInputs(3), [(1, 4, 5)], TOLERANCE, "a / b"
    )
    assert not parity.passed
