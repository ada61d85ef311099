"""The RCAN branch: residual groups of blocks with channel attention.

Source: Zhang et al., "Image Super-Resolution Using Very Deep Residual Channel Attention Networks", ECCV 2018,
arXiv 1807.02758; parameter names are those ClassSR publishes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from spandrel.util import get_seq_len
from torch import Tensor, nn

from tlcconvert.architectures.classsr.mean_shift import mean_shift
from tlcconvert.architectures.classsr.upsampler import upsampler_layers, upsampler_scale

VALUE_RANGE = 255.0  # ClassSR feeds its RCAN branches, and only these, values in 0..255


class ChannelAttention(nn.Module):
    """Scales every channel by a gate computed from the channels' averages over the whole patch."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, channels, 1), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.conv_du(x.mean((2, 3), keepdim=True))


class Residual(nn.Module):
    """``x + body(x)``."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class RCAN(nn.Module):
    """``groups`` residual groups of ``blocks`` attention blocks each, on ``channels`` features.

    Takes and returns values in 0..1; inside they are scaled to the 0..255 the published weights expect.
    """

    def __init__(
        self, *, channels: int = 64, squeezed: int = 4, groups: int = 10, blocks: int = 20, scale: int = 4
    ) -> None:
        super().__init__()
        self.scale = scale
        self.sub_mean, self.add_mean = mean_shift(-1), mean_shift(1)
        self.head = nn.Sequential(_convolution(3, channels))
        self.body = nn.Sequential(
            *(
                Residual(
                    *(_block(channels, squeezed) for _ in range(blocks)), _convolution(channels, channels)
                )
                for _ in range(groups)
            ),
            _convolution(channels, channels),
        )
        self.tail = nn.Sequential(upsampler_layers(channels, scale), _convolution(channels, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, 3, H, W] -> [N, 3, scale * H, scale * W]."""
        features = self.head(self.sub_mean(x * VALUE_RANGE))
        return self.add_mean(self.tail(features + self.body(features))) / VALUE_RANGE


def rcan_of(state: Mapping[str, Tensor]) -> RCAN:
    """An RCAN of the width, depth and scale of ``state``."""
    channels = state["head.0.weight"].shape[0]
    plain = dict(state)
    return RCAN(
        channels=channels,
        squeezed=state["body.0.body.0.body.3.conv_du.0.weight"].shape[0],
        groups=get_seq_len(plain, "body") - 1,
        blocks=get_seq_len(plain, "body.0.body") - 1,
        scale=upsampler_scale(state, "tail.0.", channels),
    )


def _block(channels: int, squeezed: int) -> Residual:
    return Residual(
        _convolution(channels, channels),
        nn.ReLU(),
        _convolution(channels, channels),
        ChannelAttention(channels, squeezed),
    )


def _convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)
