"""The multiple and the minimum of a network are what running it shows."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tlcconvert.errors import CaptureError
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.shape_run import ShapeRun
from tlcconvert.sizes.size_requirements import (
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


@pytest.mark.parametrize(
    ("multiple", "minimum"), [(1, 57), (1, 150), (7, 91), (32, 256), (16, 272), (20, 100)]
)
def test_a_minimum_above_the_usual_sizes_is_found(multiple: int, minimum: int) -> None:
    assert _probed(Demanding(multiple, minimum)) == SizeRequirements(multiple, minimum, 1)


def test_a_large_minimum_is_searched_for_on_shapes() -> None:
    network, inputs = Demanding(32, 512), NetworkInputs(3)
    network.register_forward_hook(lambda _, given, __: run_at.append(tuple(given[0].shape)))
    run_at: list[tuple[int, ...]] = []
    probe = SizeProbe(network, inputs, ShapeRun(Demanding(32, 512), inputs))
    assert probe_size_requirements(probe) == SizeRequirements(32, 512, 1)
    assert run_at == [(1, 3, 512, 512)]


class Valid(nn.Module):
    """Convolutions without padding: 14 rows and columns are lost, and at 14 pixels nothing is left."""

    def __init__(self, multiple: int = 1) -> None:
        super().__init__()
        self.multiple = multiple

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] % self.multiple or x.shape[-2] % self.multiple:
            raise ValueError("wrong size")
        return F.interpolate(x[..., 7:-7, 7:-7], scale_factor=2)


@pytest.mark.parametrize(("multiple", "minimum"), [(1, 15), (4, 16), (8, 16)])
def test_an_image_that_leaves_nothing_of_the_output_is_not_accepted(multiple: int, minimum: int) -> None:
    assert _probed(Valid(multiple)) == SizeRequirements(multiple, minimum, 0)


@pytest.mark.parametrize("factor", [0.5, 1.5, 2.5, 1.25])
def test_a_broken_scale_is_no_reason_for_a_multiple(factor: float) -> None:
    class Enlarged(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.interpolate(x, scale_factor=factor)

    requirements = _probed(Enlarged())
    assert (requirements.multiple, requirements.scale) == (1, 0)
    assert requirements.minimum == (2 if factor < 1 else 1)


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


class Positioned(nn.Module):
    """Adds a map of 512x512, as a network for aligned faces does, and notes at which sizes it was run."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 1, 512, 512))
        self.run_at: set[tuple[int, int]] = set()

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        self.run_at.add((height, width))
        return x + self.position


def test_large_sizes_that_shapes_rule_out_are_not_run() -> None:
    network, inputs = Positioned(), NetworkInputs(3)
    with pytest.raises(CaptureError, match="512x512 but not of other sizes; at 1024x1024: RuntimeError"):
        probe_size_requirements(SizeProbe(network, inputs, ShapeRun(network, inputs)))
    assert {size for size in network.run_at if min(size) > 256} == {(512, 512)}
    with pytest.raises(CaptureError, match="512x512 but not of other sizes; at 1024x1024: RuntimeError"):
        probe_size_requirements(SizeProbe(network, inputs))
    assert (1024, 1024) in network.run_at


class ReadsValues(nn.Module):
    """A shape run fails at every size: it says nothing about sizes."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] < 300:
            raise ValueError("too small")
        return x * float(x.mean())


def test_shapes_are_not_believed_about_a_network_that_reads_values() -> None:
    network, inputs = ReadsValues(), NetworkInputs(3)
    probe = SizeProbe(network, inputs, ShapeRun(network, inputs))
    assert probe_size_requirements(probe, minimum_hint=300) == SizeRequirements(1, 300, 1)


class Square(nn.Module):
    """Takes the side of the image for the root of its number of pixels (Uformer)."""

    def forward(self, x: Tensor) -> Tensor:
        side = int(x[0, 0].numel() ** 0.5)
        return x.flatten(2).view(*x.shape[:2], side, side)


def test_a_network_of_square_images_is_refused_by_that_name() -> None:
    with pytest.raises(CaptureError, match=r"square images only.*at 48x96: RuntimeError"):
        _probed(Square())


class ChoosesAnExpert(nn.Module):
    """Multiplies by the number the mean of the only image selects (SeemoRe)."""

    def forward(self, x: Tensor) -> Tensor:
        (mean,) = x.mean((1, 2, 3))
        return x * (2, 3)[int(mean > 0.5)]


class OneStyle(nn.Module):
    """Concatenates a style of its own, of which there is one (MAT)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.cat([x.mean((2, 3)), torch.ones(1, 3)], dim=1)[:, :3, None, None]


def test_a_network_of_one_image_is_refused_and_its_control_flow_named_if_pixels_decide_it() -> None:
    inputs = NetworkInputs(3)
    for network, reason in (
        (ChoosesAnExpert(), "its control flow depends on pixel values"),
        (OneStyle(), "it"),
    ):
        probe = SizeProbe(network, inputs, ShapeRun(network, inputs))
        with pytest.raises(CaptureError, match=f"one image at a time: {reason}.* refuses a batch of 2"):
            probe_size_requirements(probe)


@pytest.mark.parametrize(("multiple", "minimum"), [(1, 1), (1, 9), (8, 8), (16, 32), (7, 7)])
def test_the_sizes_to_compare_at_are_accepted_and_of_every_kind(multiple: int, minimum: int) -> None:
    sizes = list(sizes_to_compare(SizeRequirements(multiple, minimum)))
    assert all(side % multiple == 0 and side >= minimum for size in sizes for side in size)
    parities = {(height // multiple % 2, width // multiple % 2) for height, width in sizes}
    assert len(parities) >= 3
    assert any(height != width for height, width in sizes)
    assert torch.tensor(sizes).unique(dim=0).shape[0] == len(sizes) >= 5
