"""The real photographs that scikit-image and scikit-learn ship in their wheels, and crops of them.

Nothing is downloaded. Three photographs are held out: no sample is ever trained on them.
Every image here is a float32 tensor [3, H, W] (or a batch [N, 3, H, W]), RGB, values in 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from skimage import data
from sklearn.datasets import load_sample_image

TRAINING: dict[str, Callable[[], Any]] = {
    "astronaut": data.astronaut,
    "cat": data.chelsea,
    "coffee": data.coffee,
    "rocket": data.rocket,
    "stained tissue": data.immunohistochemistry,
    "china": lambda: load_sample_image("china.jpg"),
    "flower": lambda: load_sample_image("flower.jpg"),
}
HELD_OUT: dict[str, Callable[[], Any]] = {
    "motorcycle": lambda: data.stereo_motorcycle()[0],
    "hubble": data.hubble_deep_field,
    "retina": data.retina,
}


def training_photographs() -> list[torch.Tensor]:
    return [_as_tensor(load()) for load in TRAINING.values()]


def held_out_photographs() -> dict[str, torch.Tensor]:
    return {name: _as_tensor(load()) for name, load in HELD_OUT.items()}


def random_crops(
    photographs: list[torch.Tensor], size: int, count: int, generator: torch.Generator
) -> torch.Tensor:
    """``count`` square crops of ``size`` pixels, [count, 3, size, size], flipped and turned at random."""
    crops = []
    for _ in range(count):
        photograph = photographs[_random_below(len(photographs), generator)]
        height, width = photograph.shape[1:]
        top = _random_below(height - size + 1, generator)
        left = _random_below(width - size + 1, generator)
        crop = photograph[:, top : top + size, left : left + size]
        if _random_below(2, generator):
            crop = crop.flip(2)
        crops.append(torch.rot90(crop, _random_below(4, generator), (1, 2)))
    return torch.stack(crops)


def halved(images: torch.Tensor) -> torch.Tensor:
    """[N, 3, H, W] -> [N, 3, H/2, W/2] by antialiased bicubic interpolation; H and W even."""
    return F.interpolate(images, scale_factor=0.5, mode="bicubic", antialias=True).clamp(0, 1)


def psnr(image: torch.Tensor, truth: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and colours, ``image`` clamped to 0..1 first."""
    error = (image.clamp(0, 1).double() - truth.double()).square().mean().item()
    return -10 * math.log10(max(error, 1e-12))


def _as_tensor(image: Any) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1).float().div(255).contiguous()


def _random_below(bound: int, generator: torch.Generator) -> int:
    return int(torch.randint(bound, (), generator=generator))
