"""The rival of every latency table computes local statistics, not something cheaper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.prefix_sum import make_local, prefix_sum_mean
from tests.window_oracle import mean, on_every_window, relative_error


@pytest.mark.parametrize(("size", "window"), [((9, 7), (4, 3)), ((6, 11), (6, 5)), ((5, 4), (9, 9))])
def test_means_are_those_of_every_window_replicated_at_the_border(
    size: tuple[int, int], window: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    interior = on_every_window(mean, x, *window)
    missing = [full - inner for full, inner in zip(size, interior.shape[-2:], strict=True)]
    padding = [(0, 0), (0, 0), *((rows // 2, rows - rows // 2) for rows in missing)]
    assert relative_error(prefix_sum_mean(x, window), np.pad(interior, padding, mode="edge")) < 1e-12


def test_every_pool_and_norm_gets_one_and_a_half_times_its_feature_map() -> None:
    network = nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(3, 3, 1),
        nn.Sequential(nn.Upsample(size=(8, 12)), nn.InstanceNorm2d(3, affine=True)),
    ).eval()
    make_local(network, 3, train_size=16)
    assert network[0].window == (24, 24)
    assert network[2][1].window == (12, 18)


def test_a_norm_equals_the_global_one_where_the_window_covers_the_map() -> None:
    torch.manual_seed(0)
    norm = nn.InstanceNorm2d(3, affine=True)
    nn.init.uniform_(norm.weight)
    network = nn.Sequential(norm)
    x = torch.randn(2, 3, 8, 8)
    expected = network(x)
    make_local(network, 3, train_size=8)
    assert torch.allclose(network(x), expected, atol=1e-5)
