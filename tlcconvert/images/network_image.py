"""Makes the values of an image file what a network takes: its channels, its black and its white."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tlcconvert.errors import InputError
from tlcconvert.images.image_file import Values
from tlcconvert.network.pixels import Pixels

_LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""


def refuse_other_channels(channels: int) -> None:
    """Files have one, three or four.

    Raises:
        InputError: the network takes another number.
    """
    if channels not in (1, 3, 4):
        raise InputError(f"The network takes images of {channels} channels, and files have 1, 3 or 4.")


def as_network_takes_it(values: Values, channels: int, pixels: Pixels) -> Tensor:
    """``values`` [H, W, 1, 3 or 4] as [1, channels, H, W] float32, white 1 where the network says nothing else.

    Gray is repeated as three colours, colours are weighed for their luminance, and alpha is left out or opaque.

    Args:
        channels: 1, 3 or 4.
    """
    image = torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)).astype(np.float32))
    image /= np.iinfo(values.dtype).max
    color, alpha = (image[:3], image[3:]) if image.shape[0] == 4 else (image, torch.ones_like(image[:1]))
    if channels == 1:
        weights = torch.tensor(_LUMINANCE)[:, None, None]
        color = (color * weights).sum(0, keepdim=True) if color.shape[0] == 3 else color
    else:
        color = color.expand(3, -1, -1)
        if pixels.color_order == "BGR":
            color = color.flip(0)
    if channels == 4:
        color = torch.cat((color, alpha if len(alpha) else torch.ones_like(color[:1])))
    black, white = pixels.value_range or (0.0, 1.0)
    return (color * (white - black) + black)[None].contiguous()
