"""Upscaling by 3x3 convolutions and pixel shuffles: one for a factor of 3, one per factor of 2 otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


def upsampler_layers(channels: int, scale: int, *, groups: int = 1, activated: bool = False) -> nn.Sequential:
    """[N, channels, H, W] -> [N, channels, scale * H, scale * W]; a ReLU before each shuffle if ``activated``.

    Raises:
        ValueError: ``scale`` is neither 3 nor a power of two.
    """
    if scale != 3 and scale & (scale - 1):
        raise ValueError(f"A pixel-shuffle upsampler scales by 3 or a power of two, not {scale}.")
    factors = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
    layers: list[nn.Module] = []
    for factor in factors:
        layers.append(nn.Conv2d(channels, factor**2 * channels, 3, padding=1, groups=groups))
        if activated:
            layers.append(nn.ReLU())
        layers.append(nn.PixelShuffle(factor))
    return nn.Sequential(*layers)


def upsampler_scale(state: Mapping[str, Tensor], prefix: str, channels: int) -> int:
    """The scale of the upsampler whose convolutions are ``prefix`` and a number in ``state``."""
    convolutions = [name for name in state if name.startswith(prefix) and name.endswith(".weight")]
    first = min(convolutions, key=len)
    return 3 if state[first].shape[0] == 9 * channels else 2 ** len(convolutions)
