"""A transposed attention attends in windows, whoever wrote it."""

from __future__ import annotations

import operator

import pytest
import torch
from torch import Tensor, nn

from passes.localize import Training, localize
from passes.program import runnable
from tests.passes.localize.attention_networks import (
    ATTENTION_NETWORKS,
    CHANNELS,
    GridAttention,
    TransposedAttention,
)
from tests.passes.localize.captured import captured

WINDOW = (5, 4)
SIZES = [(7, 9), (5, 4), (3, 11), (16, 2), (12, 5), (2, 3), (1, 1)]


def published_starts(length: int, window: int) -> list[int]:
    """The loop of the reference: steps until a window would end behind the axis, which then ends with it."""
    window = min(length, window)
    count = (length - 1) // window + 1
    step = window if count == 1 else int(torch.tensor((length - window) / (count - 1) - 1e-8).ceil())
    starts, start = [], 0
    while True:
        if start + window >= length:
            return [*starts, length - window]
        starts.append(start)
        start += step


def attended_in_windows(network: nn.Module, x: Tensor, window: tuple[int, int], grid: int = 1) -> Tensor:
    """``network``, pointwise but for its attention, on every window; overlaps averaged.

    ``window`` and where windows begin are in steps of ``grid`` pixels.
    """
    height, width = (size // grid for size in x.shape[2:])
    total, count = torch.zeros_like(x), torch.zeros_like(x)
    k_h, k_w = min(height, window[0]), min(width, window[1])
    for top in published_starts(height, k_h):
        for left in published_starts(width, k_w):
            pixels = (slice(grid * start, grid * (start + k)) for start, k in ((top, k_h), (left, k_w)))
            place = (..., *pixels)
            with torch.no_grad():
                total[place] += network(x[place].contiguous())
            count[place] += 1
    return total / count


@pytest.mark.parametrize("architecture", ATTENTION_NETWORKS, ids=lambda architecture: architecture.__name__)
def test_attention_is_computed_in_every_window(architecture: type[TransposedAttention]) -> None:
    torch.manual_seed(1)
    network = architecture().double().eval()
    program = captured(network)
    localized = localize(program, Training((8, 8), WINDOW))
    local = runnable(program)
    assert [site.kind for site in localized.sites] == ["channel attention"]
    assert not localized.skipped
    for number, (height, width) in enumerate(SIZES):
        x = torch.randn(1 + number % 2, CHANNELS, height, width, dtype=torch.float64)
        expected = attended_in_windows(network, x, WINDOW)
        with torch.no_grad():
            assert (local(x) - expected).abs().max() < 1e-10 * expected.abs().max()
    program.validate()


def test_query_key_and_value_are_the_parts_of_the_convolution_itself() -> None:
    """Reshaping them to heads and back would copy them."""
    program = captured(TransposedAttention().double().eval())
    localize(program, Training((8, 8), WINDOW))
    (attention,) = (
        node for node in program.graph.nodes if node.target is torch.ops.tlc.window_attention.default
    )
    assert [source.target for source in attention.args[:3]] == [operator.getitem] * 3


@pytest.mark.full
def test_phases_attend_each_with_the_temperature_of_their_head() -> None:
    torch.manual_seed(1)
    network = GridAttention().double().eval()
    program = captured(network, (14, 10))
    localized = localize(program, Training((8, 8), (6, 4)))
    local = runnable(program)
    assert [site.kind for site in localized.sites] == ["channel attention"]
    for height, width in [(14, 18), (6, 4), (8, 22), (2, 2)]:
        x = torch.randn(2, CHANNELS, height, width, dtype=torch.float64)
        expected = attended_in_windows(network, x, (3, 2), grid=2)
        with torch.no_grad():
            assert (local(x) - expected).abs().max() < 1e-10 * expected.abs().max()
