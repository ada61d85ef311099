"""A statistic that cannot be lifted stays as it is, with its place and the reason; the others become local."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from passes.localize import Training, localize
from passes.program import runnable
from tests.passes.localize.captured import captured
from tests.passes.localize.crop_oracle import cropped
from tests.passes.localize.squeeze_networks import CHANNELS, SqueezeExcitation

WINDOW = (5, 4)


class Returned(nn.Module):
    """The statistic is a result of the network."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s = x.mean((2, 3), keepdim=True)
        return x - s, s


class DynamicConvolution(nn.Module):
    """Kernels computed from the image (Dynamic Convolution, CVPR 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Linear(CHANNELS, CHANNELS * 9)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        kernels = self.kernel(x.mean((2, 3))).view(batch * channels, 1, 3, 3)
        y = functional.conv2d(
            x.reshape(1, batch * channels, height, width), kernels, padding=1, groups=batch * channels
        )
        return y.view(batch, channels, height, width)


class DynamicMatrix(nn.Module):
    """A matrix over channels computed from the image."""

    def forward(self, x: Tensor) -> Tensor:
        s = x.amax((2, 3)).sigmoid()
        return ((s[:, :, None] * s[:, None, :]) @ x.flatten(2)).reshape(x.shape)


class SortedChannels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.var((2, 3), keepdim=True).sort(1).values


class MixedBatch(nn.Module):
    """Compared with the other images of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        s = x.mean((2, 3), keepdim=True)
        return x * (s - s.mean(0, keepdim=True))


class MaximumPosition(nn.Module):
    """Uses where the maximum is."""

    def forward(self, x: Tensor) -> Tensor:
        return x + functional.adaptive_max_pool2d(x, 1, return_indices=True)[1]


class TransposedSpread(nn.Module):
    """A transposed convolution makes a map out of the vector."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = nn.ConvTranspose2d(CHANNELS, CHANNELS, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + functional.interpolate(self.spread(x.mean((2, 3), keepdim=True)), size=x.shape[2:])


class StatisticSelectsPixels(nn.Module):
    """The statistic becomes an index into the batch of pixels."""

    def forward(self, x: Tensor) -> Tensor:
        order = x.mean((2, 3)).argsort(1)[..., None, None].expand_as(x)
        return x.gather(1, order)


LEFT = {
    Returned: ("global mean", "the network returns it"),
    DynamicConvolution: ("global mean", "not pointwise"),
    DynamicMatrix: ("global maximum", "not pointwise"),
    SortedChannels: ("global variance", "no rule covers"),
    MixedBatch: ("global mean", "images of a batch"),
    MaximumPosition: ("global maximum", "position of an extreme"),
    TransposedSpread: ("global mean", "no rule covers"),
    StatisticSelectsPixels: ("global mean", "no rule covers"),
}


class Pair(nn.Module):
    """A squeeze-and-excitation, which can be lifted, in front of a statistic that cannot."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.liftable = SqueezeExcitation()
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.liftable(x).sigmoid())


@pytest.mark.parametrize("architecture", LEFT, ids=lambda architecture: architecture.__name__)
def test_it_stays_and_the_other_becomes_local(architecture: type[nn.Module]) -> None:
    torch.manual_seed(1)
    network = Pair(architecture()).double().eval()
    program = captured(network)
    localized = localize(program, Training((8, 8), WINDOW))
    program.validate()
    assert [site.where.split()[0] for site in localized.sites] == ["liftable"]
    kind, reason = LEFT[architecture]
    assert [skipped.kind for skipped in localized.skipped] == [kind]
    skipped = localized.skipped[0]
    assert skipped.where.startswith("last (test_left_global.py:")
    assert reason in skipped.reason
    local = runnable(program)
    for batch, height, width in [(1, 7, 9), (3, 12, 3), (2, 4, 4)]:
        x = torch.randn(batch, CHANNELS, height, width, dtype=torch.float64)
        with torch.no_grad():
            expected = network.last(cropped(network.liftable, x, WINDOW).sigmoid())
        torch.testing.assert_close(local(x), expected, rtol=0, atol=1e-11)


class LocalMean(nn.Module):
    """One global mean per channel, spread over the map."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True).expand_as(x)


class SharedPath(nn.Module):
    """Two statistics on one squeeze path, one of which is sorted on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.combined(x, x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True))

    def combined(self, x: Tensor, mean: Tensor, maximum: Tensor) -> Tensor:
        return x * self.mix(mean + maximum.sort(1).values).sigmoid() + x * mean


def test_on_a_shared_path_a_statistic_that_stays_is_the_same_for_every_window() -> None:
    torch.manual_seed(1)
    network = SharedPath().double().eval()
    program = captured(network)
    localized = localize(program, Training((8, 8), WINDOW))
    assert [site.kind for site in localized.sites] == ["global mean"]
    assert [skipped.kind for skipped in localized.skipped] == ["global maximum"]
    x = torch.randn(2, CHANNELS, 9, 11, dtype=torch.float64)
    with torch.no_grad():
        expected = network.combined(x, cropped(LocalMean(), x, WINDOW), x.amax((2, 3), keepdim=True))
        torch.testing.assert_close(runnable(program)(x), expected, rtol=0, atol=1e-11)


class GatedThenSorted(nn.Module):
    """The second statistic is exactly a function of the first one's: mean(x * a) = a * mean(x)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = SqueezeExcitation(), SortedChannels()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x))


def test_a_statistic_stays_with_the_one_that_is_computed_from_it_exactly() -> None:
    """Localising the gate alone would leave a global variance of pixels that windows were applied to."""
    torch.manual_seed(1)
    network = GatedThenSorted().double().eval()
    program = captured(network)
    localized = localize(program, Training((8, 8), WINDOW))
    assert not localized.sites
    assert {(skipped.kind, "no rule covers" in skipped.reason) for skipped in localized.skipped} == {
        ("global mean", True),
        ("global variance", True),
    }
    x = torch.randn(2, CHANNELS, 9, 11, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(runnable(program)(x), network(x), rtol=0, atol=1e-11)
