"""The multiple and the minimum of a network are what running it shows."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tlcconvert.errors import CaptureError
from tlcconvert.network_inputs import NetworkInputs
from tlcconvert.size_requirements import (
    SizeProbe,
    SizeRequirements,
    probe_size_requirements,
    sizes_to_compare,
)


class Demanding(nn.Module):
    """Raises where a size is no multiple or too small; enlarges by ``scale``."""

    def __init__(self, multiple: int, minimum: int, scale: int = 1) -> None:
        super().__init__()
        self.multiple, self.minimum, self.scale = multiple, minimum, scale

    def forward(self, x: Tensor) -> Tensor:
        for size in x.shape[-2:]:
            if size % self.multiple or size < self.minimum:
                raise ValueError("wrong size")
        return F.interpolate(x, scale_factor=self.scale)


def _probed(network: nn.Module, **hints: int) -> SizeRequirements:
    return probe_size_requirements(SizeProbe(network, NetworkInputs(3)), **hints)


@pytest.mark.parametrize("multiple", [1, 2, 3, 6, 7, 8, 12, 16, 48, 64])
def test_the_multiple_is_found_without_a_hint(multiple: int) -> None:
    assert _probed(Demanding(multiple, 1)) == SizeRequirements(multiple, multiple, 1)


@pytest.mark.parametrize(("multiple", "minimum"), [(1, 2), (1, 9), (1, 40), (4, 12), (8, 24)])
def test_the_minimum_is_found(multiple: int, minimum: int) -> None:
    assert _probed(Demanding(multiple, minimum)) == SizeRequirements(multiple, minimum, 1)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_scale_is_found(scale: int) -> None:
    assert _probed(Demanding(4, 4, scale)).scale == scale


def test_a_hint_reaches_a_multiple_and_a_minimum_nobody_would_try() -> None:
    assert _probed(Demanding(36, 72), multiple_hint=36, minimum_hint=72) == SizeRequirements(36, 72, 1)
    assert _probed(Demanding(1, 200), minimum_hint=200).minimum == 200


def test_a_hint_that_asks_too_much_is_overruled_by_the_network() -> None:
    assert _probed(Demanding(2, 2), multiple_hint=16, minimum_hint=16) == SizeRequirements(2, 2, 1)


class EvenOutput(nn.Module):
    """Runs at odd sizes but loses a row there."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(F.max_pool2d(x, 2), scale_factor=2)


def test_a_size_whose_output_has_another_size_counts_as_not_accepted() -> None:
    assert _probed(EvenOutput()) == SizeRequirements(2, 2, 1)


class NaNBelow(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / max(0, x.shape[-1] * x.shape[-2] - 4) if x.shape[-1] > 2 else x * float("nan")


def test_a_size_with_nan_counts_as_not_accepted() -> None:
    assert _probed(NaNBelow()).minimum == 3


class NoImage(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


def test_a_network_without_an_image_output_has_no_scale() -> None:
    assert _probed(NoImage()) == SizeRequirements(1, 1, 0)


def test_a_network_that_accepts_nothing_is_refused_with_its_reason() -> None:
    with pytest.raises(CaptureError, match="wrong size"):
        _probed(Demanding(1, 10_000))


@pytest.mark.parametrize(("multiple", "minimum"), [(1, 1), (1, 9), (8, 8), (16, 32), (7, 7)])
def test_the_sizes_to_compare_at_are_accepted_and_of_every_kind(multiple: int, minimum: int) -> None:
    sizes = list(sizes_to_compare(SizeRequirements(multiple, minimum)))
    assert all(side % multiple == 0 and side >= minimum for size in sizes for side in size)
    parities = {(height // multiple % 2, width // multiple % 2) for height, width in sizes}
    assert len(parities) >= 3
    assert any(height != width for height, width in sizes)
    assert torch.tensor(sizes).unique(dim=0).shape[0] == len(sizes) >= 5
