"""The images networks are compared at: noise, and a photograph.

Noise has no flat and no dark area, which is where norms and divisions go wrong, and its mean is the same everywhere.
"""

from __future__ import annotations

import functools
from importlib.resources import files

import numpy as np
import torch
from torch import Tensor

from tlcconvert.network.network_inputs import NetworkInputs


def noise(inputs: NetworkInputs, batch: int, height: int, width: int, seed: int) -> tuple[Tensor, ...]:
    """Uniform float32 values in [0, 1) for every input, the same for the same arguments."""
    return inputs.random(batch, height, width, seed=seed)


def photograph(inputs: NetworkInputs, batch: int, height: int, width: int) -> tuple[Tensor, ...]:
    """A photograph [batch, C, height, width] in [0, 1], and what :func:`noise` gives for the inputs beside it.

    It is reflected at its borders as often as the size asks for, so its detail stays that of a photograph. Each
    further image of a batch shows another part. One channel is its luminance; beyond three, the colours repeat,
    moved by a few pixels.
    """
    _, *extra = inputs.random(batch, height, width)
    images = [
        torch.stack(
            [_channel(inputs.channels, channel, number, height, width) for channel in range(inputs.channels)]
        )
        for number in range(batch)
    ]
    return torch.stack(images), *extra


def _channel(channels: int, channel: int, number: int, height: int, width: int) -> Tensor:
    pixels = _pixels()
    plane = pixels.mean(0) if channels == 1 else pixels[channel % 3]
    # The middle of the photograph comes first: a small image of a corner would be flat.
    top, left = 20 + 3 * (channel // 3) + 31 * number, 40 + 5 * (channel // 3) + 43 * number
    rows = _reflected(torch.arange(top, top + height), plane.shape[0])
    columns = _reflected(torch.arange(left, left + width), plane.shape[1])
    return plane[rows][:, columns]


def _reflected(positions: Tensor, extent: int) -> Tensor:
    """0, 1, ... extent - 1, extent - 1, ... 1, 0, 0, 1 and so on."""
    folded = positions % (2 * extent)
    return torch.minimum(folded, 2 * extent - 1 - folded)


@functools.cache
def _pixels() -> Tensor:
    """The photograph [3, 96, 128]; photograph.txt beside it says where it is from."""
    with files("tlcconvert.verification").joinpath("photograph.npz").open("rb") as file:
        pixels = np.load(file)["pixels"]
    return torch.from_numpy(pixels).permute(2, 0, 1) / 255
