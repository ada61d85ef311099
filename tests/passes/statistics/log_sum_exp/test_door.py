"""However a network writes a log-sum-exp over pixels, localising is running it on the window around every pixel."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from passes.localize import Localized, Training, localize
from passes.program import runnable
from tests.captured import captured
from tests.passes.localize.crop_oracle import cropped

WINDOW = (5, 4)
SIZES = [(7, 9), (5, 4), (3, 11), (6, 2), (12, 5), (2, 3), (1, 1)]

Statistic = Callable[[Tensor], Tensor]


class Gate(nn.Module):
    """A map and ``statistic`` of it, [N, C, 1, 1] or [N, C]."""

    def __init__(self, statistic: Statistic) -> None:
        super().__init__()
        self.statistic = statistic

    def forward(self, x: Tensor) -> Tensor:
        return x * self.statistic(x).reshape(x.shape[0], -1, 1, 1)


def relative_to_maximum(x: Tensor) -> Tensor:
    largest = x.amax((2, 3), keepdim=True)
    return largest + (x - largest).exp().sum((2, 3), keepdim=True).log()


def relative_to_finite_maximum(x: Tensor) -> Tensor:
    """What ``torch.export`` makes of a log-sum-exp that it decomposes."""
    largest = x.amax((2, 3), keepdim=True)
    largest = torch.where(largest.abs() == math.inf, 0.0, largest)
    return (x - largest).exp().sum((2, 3)).log() + largest.squeeze((2, 3))


def mean_relative_to_maximum(x: Tensor) -> Tensor:
    pixels = x.flatten(2)
    largest = pixels.max(-1, keepdim=True).values
    return largest.squeeze(-1) + (pixels - largest).exp().mean(-1).log()


ONE_STATISTIC: dict[str, Statistic] = {
    "kept": lambda x: x.logsumexp((2, 3), keepdim=True),
    "dropped": lambda x: x.logsumexp((-1, -2)),
    "flattened": lambda x: x.flatten(2).logsumexp(-1),
    "one axis after the other": lambda x: x.logsumexp(3).logsumexp(2),
    "special": lambda x: torch.special.logsumexp(x, (2, 3)),
    "over channels too": lambda x: x.logsumexp((1, 2, 3)),
    "sharp": lambda x: (x * 7).logsumexp((2, 3)) / 7,
    "a smooth minimum": lambda x: -(-x).logsumexp((2, 3)),
    "log of the sum of exp": lambda x: x.exp().sum((2, 3)).log(),
    "log of the sum of the sum of exp": lambda x: x.exp().sum(3).sum(2).log(),
    "log of the mean of exp": lambda x: x.exp().mean((2, 3), keepdim=True).log(),
    "log of the sum of exp over n": lambda x: (x.exp().sum((2, 3)) / (x.shape[2] * x.shape[3])).log(),
    "log of the pooled exp": lambda x: functional.adaptive_avg_pool2d((3 * x).exp(), 1).log() / 3,
    "relative to the maximum": relative_to_maximum,
    "relative to the finite maximum": relative_to_finite_maximum,
    "log of the mean of exp relative to the maximum": mean_relative_to_maximum,
    "relative to a number": lambda x: (x - 3).exp().sum((2, 3)).log() + 3,
}
NESTED: dict[str, Statistic] = {
    "less the mean": lambda x: (x - x.mean((2, 3), keepdim=True)).logsumexp((2, 3)),
    "relative to the maximum of all channels": lambda x: (
        (x - (largest := x.amax((1, 2, 3), keepdim=True))).exp().sum((2, 3), keepdim=True).log() + largest
    ),
}


def localized(statistic: Statistic) -> Localized:
    network = Gate(statistic)
    program = captured(network)
    done = localize(program, Training((8, 8), WINDOW))
    for number, size in enumerate(SIZES):
        x = 4 * torch.randn(1 + number % 2, 3, *size, dtype=torch.float64) + 3
        expected = cropped(network, x, WINDOW)
        assert (runnable(program)(x) - expected).abs().max() <= 1e-13 * expected.abs().max(), size
    return done


@pytest.mark.parametrize("statistic", ONE_STATISTIC.values(), ids=ONE_STATISTIC)
def test_it_is_one_local_statistic(statistic: Statistic) -> None:
    done = localized(statistic)
    assert [site.kind for site in done.sites] == ["global log-sum-exp"]
    assert not done.skipped


@pytest.mark.parametrize("statistic", NESTED.values(), ids=NESTED)
def test_of_pixels_less_another_statistic_it_is_that_of_the_pixels_themselves(statistic: Statistic) -> None:
    done = localized(statistic)
    assert "global log-sum-exp" in [site.kind for site in done.sites]
    assert not done.skipped


def test_without_the_guard_a_dark_window_beside_bright_ones_has_its_logarithm_in_float32() -> None:
    program = captured(Gate(lambda x: x.exp().sum((2, 3)).log()), dtype=torch.float32)
    localize(program, Training((8, 8), WINDOW))
    x = torch.randn(1, 3, 20, 30) + 40
    x[..., :15] -= 80
    expected = cropped(Gate(lambda x: x.double().logsumexp((2, 3))), x, WINDOW)
    torch.testing.assert_close(runnable(program)(x).double(), expected, rtol=1e-6, atol=0)


def test_the_number_of_pixels_of_a_mean_is_finite_in_half_precision() -> None:
    program = captured(Gate(lambda x: x.exp().mean((2, 3)).log()), dtype=torch.float16)
    localize(program, Training((300, 300), (450, 450)))
    x = torch.randn(1, 3, 300, 300).half()
    expected = Gate(lambda x: x.exp().mean((2, 3)).log())(x.double())
    torch.testing.assert_close(runnable(program)(x).double(), expected, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    "statistic",
    [
        lambda x: (x.exp().sum((2, 3)) + 1).log(),
        lambda x: x.exp().sum((2, 3)).log1p(),
        lambda x: (2 * x.exp()).sum((2, 3)).log(),
    ],
    ids=["a term more", "of 1 plus it", "of twice exp"],
)
def test_what_is_nearly_one_is_left_a_sum(statistic: Statistic) -> None:
    assert [site.kind for site in localized(statistic).sites] == ["global sum"]


def test_over_one_axis_alone_it_stays_global_and_is_named() -> None:
    program = captured(Gate(lambda x: x.logsumexp(3).mean(2)))
    done = localize(program, Training((8, 8), WINDOW))
    assert "global log-sum-exp" in [skipped.kind for skipped in done.skipped]
