"""A random restoration network, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.fuzz.blocks import BLOCKS, Resized

MOST_LEVELS = 5
"""The deepest map has 1/32 of the resolution."""


class RandomNetwork(nn.Module):
    """Image in, image or enlarged image out, by way of blocks at one to six resolutions.

    Args:
        seed: decides everything, the weights included.
        without: numbers of blocks to leave out, to find the smallest network that still fails.
    """

    def __init__(self, seed: int, without: Iterable[int] = ()) -> None:
        super().__init__()
        torch.manual_seed(seed)
        draw = random.Random(seed)
        self.levels = draw.choice([0, 0, 1, 1, 2, 2, 3, 4, MOST_LEVELS])
        channels = draw.choice([4, 6, 8])
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        count = draw.randint(1, 2) if self.levels > 2 else draw.randint(2, 4)
        places = [draw.randrange(2 * self.levels + 1) for _ in range(count)]
        blocks = [draw.choice(BLOCKS)(channels, draw) for _ in range(count)]
        for block, place in zip(blocks, places, strict=True):
            # PyTorch repeats the first row of an antialiased map one pixel wide, which small maps come to.
            if isinstance(block, Resized) and 0 < place < 2 * self.levels:
                block.antialias = False
        self.blocks = nn.ModuleList(blocks)
        self.at = [None if number in set(without) else place for number, place in enumerate(places)]
        self.down = nn.ModuleList(_down(channels, draw) for _ in range(self.levels))
        self.up = nn.ModuleList(_Up(channels, draw) for _ in range(self.levels))
        self.scale = draw.choice([1, 1, 1, 2]) if self.levels < 3 else 1
        self.is_residual = self.scale == 1 and draw.random() < 0.6
        self.tail = nn.Conv2d(channels, 3 * self.scale**2, 3, padding=1)
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        x = self._blocks(self.head(image), 0)
        skipped = []
        for level, down in enumerate(self.down, 1):
            skipped.append(x)
            x = self._blocks(down(x), level)
        for level, up in enumerate(self.up, self.levels + 1):
            x = self._blocks(up(x, skipped.pop()), level)
        y = functional.pixel_shuffle(self.tail(x), self.scale) if self.scale > 1 else self.tail(x)
        return y + image if self.is_residual else y

    def _blocks(self, x: Tensor, place: int) -> Tensor:
        for block, at in zip(self.blocks, self.at, strict=True):
            x = block(x) if at == place else x
        return x

    def describe(self) -> str:
        parts = [f"{type(block).__name__} at {at}" for block, at in zip(self.blocks, self.at, strict=True)]
        return f"{self.levels} levels, scale {self.scale}: {', '.join(parts)}"


def _down(channels: int, draw: random.Random) -> nn.Module:
    kind = draw.choice(["strided", "strided 2", "unshuffle", "max", "average", "bilinear"])
    if kind == "strided":
        return nn.Conv2d(channels, channels, 3, 2, 1)
    if kind == "strided 2":
        return nn.Conv2d(channels, channels, 2, 2)
    if kind == "unshuffle":
        return nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * channels, channels, 1))
    if kind == "bilinear":
        return nn.Upsample(scale_factor=0.5, mode="bilinear", align_corners=False)
    return nn.MaxPool2d(2) if kind == "max" else nn.AvgPool2d(2)


class _Up(nn.Module):
    """Twice the extents, or the extents of the map of that level, which is added or concatenated."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__()
        self.kind = draw.choice(["transposed", "shuffle", "nearest", "to size"])
        self.is_concatenated = draw.random() < 0.5
        self.shuffled = nn.Conv2d(channels, 4 * channels, 1)
        self.transposed = nn.ConvTranspose2d(channels, channels, 2, 2)
        self.fuse = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        if self.kind == "transposed":
            x = self.transposed(x)
        elif self.kind == "shuffle":
            x = functional.pixel_shuffle(self.shuffled(x), 2)
        elif self.kind == "nearest":
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
        else:
            x = functional.interpolate(x, size=skipped.shape[2:], mode="bilinear", align_corners=False)
        return self.fuse(torch.cat([x, skipped], 1)) if self.is_concatenated else x + skipped
