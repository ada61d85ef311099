"""Statistics on a grid of windows: the original up to a window, close to exact beyond, and exact on request."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from passes.localize import Training, localize
from passes.localize.exact_counterpart import exact_counterpart
from passes.program import runnable
from tests.passes.localize.captured import captured
from tests.passes.localize.squeeze_networks import (
    CHANNELS,
    ChannelAndSpaceMean,
    GroupNorm,
    InstanceNorm,
    LinearGate,
    ResponseNorm,
    SeveralStatistics,
    SimpleAttention,
    SqueezeExcitation,
)

WINDOW = (24, 36)
NODES = 12

NETWORKS = (
    SqueezeExcitation,
    LinearGate,
    ChannelAndSpaceMean,
    SimpleAttention,
    ResponseNorm,
    SeveralStatistics,
    InstanceNorm,
    GroupNorm,
)


@pytest.mark.parametrize("architecture", NETWORKS, ids=lambda architecture: architecture.__name__)
def test_a_grid_of_windows_is_close_to_all_of_them(architecture: type[nn.Module]) -> None:
    torch.manual_seed(1)
    network = architecture().double().eval()
    programs = {nodes: captured(network) for nodes in (None, NODES)}
    localized = {
        nodes: localize(program, Training((8, 8), WINDOW, nodes_per_window=nodes))
        for nodes, program in programs.items()
    }
    fast, exact = runnable(programs[NODES]), runnable(programs[None])
    assert len(localized[NODES].sites) == len(localized[None].sites)
    x = smooth_image(70, 81)
    with torch.no_grad():
        difference = (fast(x) - exact(x)).abs().max() / exact(x).abs().max()
        assert 1e-12 < difference < 2e-2
        assert (exact_counterpart(fast)(x) - exact(x)).abs().max() < 1e-10 * exact(x).abs().max()
        small = smooth_image(20, 36)
        assert (fast(small) - network(small)).abs().max() < 1e-10 * network(small).abs().max()
    programs[NODES].validate()


def smooth_image(height: int, width: int) -> torch.Tensor:
    """Noise on slow waves [2, C, height, width], float64."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.linspace(0, 3, height, dtype=torch.float64).sin()[:, None]
    columns = torch.linspace(0, 5, width, dtype=torch.float64).cos()
    noise = torch.randn(2, CHANNELS, height, width, dtype=torch.float64, generator=generator)
    return rows * columns + 0.3 * noise + 1


def test_the_report_says_that_a_grid_was_used() -> None:
    localized = localize(
        captured(SqueezeExcitation().double()), Training((8, 8), WINDOW, nodes_per_window=NODES)
    )
    assert localized.sites[0].after == f"window 24x36, {NODES} nodes each"
