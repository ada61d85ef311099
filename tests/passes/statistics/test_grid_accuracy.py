"""How far a grid of windows is from every window, on what features of photographs look like."""

import pytest
import torch
from skimage import data
from torch.nn import functional

import passes.statistics  # noqa: F401
from tests.subsampled_mean import strides, subsampled_mean

tlc = torch.ops.tlc


def photograph(name: str) -> torch.Tensor:
    return torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None].float()[..., :510, :510] / 255


def features(name: str) -> torch.Tensor:
    weights = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0)) / 5
    return functional.conv2d(photograph(name), weights, padding=1).relu()


def smoothed_noise() -> torch.Tensor:
    coarse = torch.randn(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    return functional.interpolate(coarse, size=(480, 480), mode="bicubic")


SUBSAMPLED = {
    "photograph astronaut": lambda: (photograph("astronaut"), 1),
    "photograph coffee": lambda: (photograph("coffee"), 1),
    "features of astronaut": lambda: (features("astronaut"), 1),
    "features of coffee at half size": lambda: (functional.avg_pool2d(features("coffee"), 2)[..., :250], 2),
    "smoothed noise": lambda: (smoothed_noise(), 1),
}


def error(got: torch.Tensor, exact: torch.Tensor, x: torch.Tensor) -> tuple[float, float]:
    """Largest and root-mean-square error in standard deviations of the channel."""
    relative = (got - exact) / x.std((2, 3), keepdim=True)
    return float(relative.abs().max()), float(relative.square().mean().sqrt())


@pytest.mark.parametrize("name", SUBSAMPLED)
def test_means_are_closer_than_those_of_the_published_subsampling(name):
    x, downscale = SUBSAMPLED[name]()
    height, width = x.shape[-2:]
    window = 192 // downscale
    exact = tlc.replicate(tlc.local_mean(x, window, window), height, width)
    grid = tlc.grid_spread(tlc.grid_mean(x, window, window, 12), height, width, window, window, 12)
    published = subsampled_mean(x, window, window, *strides(height, width, downscale))
    largest, typical = error(grid, exact, x)
    published_largest, published_typical = error(published, exact, x)
    assert largest < published_largest
    assert typical < published_typical / 2
    assert typical < 0.01


@pytest.mark.parametrize("name", SUBSAMPLED)
def test_normalised_features_are_within_three_hundredths_of_their_deviation(name):
    x, downscale = SUBSAMPLED[name]()
    window = 192 // downscale
    exact, grid = (
        tlc.local_normalize(x, window, window, x.shape[1], 1e-5),
        tlc.grid_normalize(x, window, window, x.shape[1], 1e-5, 12),
    )
    assert (grid - exact).square().mean().sqrt() < 0.03


def test_more_nodes_are_closer():
    x = photograph("coffee")
    height, width = x.shape[-2:]
    exact = tlc.replicate(tlc.local_mean(x, 192, 192), height, width)
    errors = [
        error(tlc.grid_spread(tlc.grid_mean(x, 192, 192, ratio), height, width, 192, 192, ratio), exact, x)[1]
        for ratio in (3, 6, 12, 24)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 8
