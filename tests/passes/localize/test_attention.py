"""A transposed attention attends in windows, whoever wrote it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from passes.localize import Training, localize
from passes.program import runnable

from attention_networks import ATTENTION_NETWORKS, CHANNELS, TransposedAttention  # isort: skip
from test_localize import captured  # isort: skip

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


def attended_in_windows(network: nn.Module, x: Tensor) -> Tensor:
    """``network``, pointwise but for its attention, on every window; overlaps averaged."""
    height, width = x.shape[2:]
    total, count = torch.zeros_like(x), torch.zeros_like(x)
    k_h, k_w = min(height, WINDOW[0]), min(width, WINDOW[1])
    for top in published_starts(height, k_h):
        for left in published_starts(width, k_w):
            window = (..., slice(top, top + k_h), slice(left, left + k_w))
            with torch.no_grad():
                total[window] += network(x[window].contiguous())
            count[window] += 1
    return total / count


@pytest.mark.parametrize("architecture", ATTENTION_NETWORKS, ids=lambda architecture: architecture.__name__)
def test_attention_is_computed_in_every_window(architecture: type[TransposedAttention]) -> None:
    torch.manual_seed(1)
    network = architecture().double().eval()
    program = captured(network)
    localized = localize(program, Training((8, 8), WINDOW))
    local = runnable(program)
    assert [site.rewrite.kind for site in localized.sites] == ["channel attention"]
    assert not localized.skipped
    for number, (height, width) in enumerate(SIZES):
        x = torch.randn(1 + number % 2, CHANNELS, height, width, dtype=torch.float64)
        expected = attended_in_windows(network, x)
        with torch.no_grad():
            assert (local(x) - expected).abs().max() < 1e-10 * expected.abs().max()
    program.validate()
