"""Localising is running the network on the window around every pixel."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from passes.localize import Training, localize
from passes.program import runnable
from tests.passes.localize.captured import captured
from tests.passes.localize.crop_oracle import cropped
from tests.passes.localize.squeeze_networks import (
    CHANNELS,
    ONE_WINDOW_NETWORKS,
    WrittenOutLayerNorm,
    WrittenOutNorm,
)

WINDOW = (5, 4)
SIZES = [(7, 9), (5, 4), (3, 11), (6, 2), (12, 5), (2, 3)]


@pytest.mark.parametrize("architecture", ONE_WINDOW_NETWORKS, ids=lambda architecture: architecture.__name__)
def test_local_statistics_are_the_network_on_every_window(architecture: type[nn.Module]) -> None:
    torch.manual_seed(1)
    network = architecture().double().eval()
    program = captured(network)
    localized = localize(program, Training((8, 8), (WINDOW[0], WINDOW[1])))
    local = runnable(program)
    assert localized.sites
    assert not localized.skipped
    for number, (height, width) in enumerate(SIZES):
        x = torch.randn(1 + number % 2, CHANNELS, height, width, dtype=torch.float64) + 3
        expected = cropped(network, x, WINDOW)
        with torch.no_grad():
            error = (local(x) - expected).abs().max() / expected.abs().max()
        assert error < 1e-10, f"{height}x{width}: {error}"
        if localized.is_unchanged_at(height, width):
            assert (network(x) - expected).abs().max() < 1e-10
    program.validate()


@pytest.mark.parametrize("architecture", [WrittenOutNorm, WrittenOutLayerNorm], ids=lambda a: a.__name__)
def test_a_norm_written_out_is_done_in_one_piece(architecture: type[nn.Module]) -> None:
    """So that its subtraction can be done in double: a float32 mean is too coarse on flat areas of high level."""
    program = captured(architecture().double().eval())
    localized = localize(program, Training((8, 8), WINDOW))
    assert [site.kind for site in localized.sites] == ["written-out norm"]
