"""Statistics seen on the way, against the same taken one by one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.tlcconvert.diagnosis.networks import Normed, brightened, subject
from tlcconvert.diagnosis.observed_program import Seen

SIZE, WINDOW = 20, 12


def image() -> Tensor:
    return torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def windows(x: Tensor) -> Tensor:
    """[N, C, windows, pixels] of every window, row by row."""
    count = SIZE - WINDOW + 1
    return (
        F.unfold(x.double(), WINDOW)
        .unflatten(1, (x.shape[1], -1))
        .transpose(2, 3)
        .reshape(x.shape[0], x.shape[1], count * count, -1)
    )


def test_a_mean_is_seen_over_every_window_and_over_the_whole_image() -> None:
    network = brightened(8)
    (node,) = network.local.statistics
    assert node.kind == "mean"
    assert "networks.py" in node.where
    for program, expected in (
        (network.local, windows(image()).mean(3)),
        (network.whole, image().double().mean((2, 3))[..., None]),
    ):
        _, (seen,) = program.run(image())
        assert seen.values is not None and seen.jumps is None
        assert torch.allclose(seen.values.double(), expected.transpose(1, 2).flatten(0, 1), atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("is_written_out", [False, True])
def test_a_norm_is_seen_by_its_windows_and_by_how_often_its_gain_jumps(is_written_out: bool) -> None:
    network = Normed(is_written_out)
    program = subject(network, 8).local
    _, seen = program.run(image())
    (jumps,) = (each.jumps for each in seen if each.jumps is not None)
    pixels = windows(network.head(image()))
    deviation = pixels.std(3, correction=0)
    gain = (deviation.square() + 1e-5).rsqrt().unflatten(2, (SIZE - WINDOW + 1, -1))
    ratios = [gain[:, :, 1:] / gain[:, :, :-1], gain[..., 1:] / gain[..., :-1]]
    jumping = sum(int(((ratio > 1.05) | (ratio < 1 / 1.05)).sum()) for ratio in ratios)
    assert jumps == pytest.approx(jumping / sum(ratio.numel() for ratio in ratios))
    assert jumping > 0
    by_kind = sorted(zip(program.statistics, seen, strict=True), key=lambda pair: pair[0].kind)
    values = torch.cat([each.values for _, each in by_kind if each.values is not None], 1)
    expected = torch.cat((pixels.mean(3), deviation), 1).transpose(1, 2).flatten(0, 1)
    assert torch.allclose(values.double(), expected, atol=1e-5)


class Contrast(nn.Module):
    """Channels weighed by their contrast, as IMDN does: no norm."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        deviation = (x - mean).pow(2).mean((2, 3), keepdim=True).pow(0.5)
        return x * torch.sigmoid(deviation + mean)


def test_a_contrast_that_weighs_channels_is_no_norm() -> None:
    network = subject(Contrast(), 8)
    _, seen = network.local.run(image())
    assert {node.kind for node in network.local.statistics} == {"mean", "variance"}
    assert all(each.jumps is None for each in seen)


def test_a_grid_of_windows_stands_for_many() -> None:
    network = brightened(8)
    _, (seen,) = network.local.run(torch.rand(1, 3, 60, 30))
    assert isinstance(seen, Seen) and seen.values is not None
    assert seen.values.shape == (16 * 16, 3)
