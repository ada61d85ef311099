"""Pictures for a page: 8-bit colours, no larger than asked for, as text that stands in the page itself."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""[height, width, 3], red, green, blue."""

_QUALITY = 92
_HEAT = np.array(
    [[13, 8, 40], [66, 15, 110], [148, 38, 103], [221, 81, 58], [252, 165, 10], [252, 250, 190]], np.float32
)
"""From nothing to most; its lightness grows evenly, so that it reads without colours too."""


def heat(values: NDArray[np.float32], most: float) -> Picture:
    """[height, width] from 0 to ``most`` as colours, from dark to light; what is more counts as ``most``."""
    position = np.nan_to_num(values / max(most, 1e-12), nan=1.0).clip(0, 1) * (len(_HEAT) - 1)
    below = np.minimum(position.astype(np.intp), len(_HEAT) - 2)
    share = (position - below)[..., None]
    colours = _HEAT[below] * (1 - share) + _HEAT[below + 1] * share
    return colours.round().astype(np.uint8)


def data_uri(picture: Picture, most_pixels: int) -> str:
    """``picture``, at most ``most_pixels`` on a side, as a WebP image in a ``data:`` address."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((most_pixels, most_pixels), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "webp", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"
