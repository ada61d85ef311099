"""A network is recomputed in float64, whatever types its captured graph names."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import Dim

from tlcconvert.verification.float64_copy import float64_copy


class NamesFloat32(nn.Module):
    """Creates float32 values and casts to float32, as a capture writes what the code left to its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        ramp = torch.arange(x.shape[0], dtype=torch.float32)[:, None] / 7
        nearest = x.argmax(1, keepdim=True) == torch.arange(3)
        ones = torch.ones(3, 3) / 3  # of the default type
        return self.linear((x + ramp + nearest.to(torch.float32)) @ ones).exp()


def test_a_captured_graph_has_no_float32_left() -> None:
    network = NamesFloat32()
    example = torch.rand(5, 3)
    graph = torch.export.export(network, (example,), dynamic_shapes=({0: Dim.DYNAMIC},)).module()
    x = torch.rand(6, 3, dtype=torch.float64)
    ramp = torch.arange(6, dtype=torch.float64)[:, None] / 7
    nearest = nn.functional.one_hot(x.argmax(1), 3)
    with torch.no_grad():
        weight, bias = network.linear.weight.double(), network.linear.bias.double()
        ones = torch.ones(3, 3, dtype=torch.float64) / 3
        expected = ((x + ramp + nearest) @ ones @ weight.T + bias).exp()
        computed = float64_copy(graph)(x)
    assert computed.dtype is torch.float64
    assert (computed - expected).abs().max() <= 1e-14 * expected.max()


def test_the_network_itself_stays_float32() -> None:
    network = nn.Conv2d(3, 3, 1)
    float64_copy(network)
    assert network.weight.dtype is torch.float32
