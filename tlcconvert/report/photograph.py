"""A photograph for the report: what is run of it, and what is said of its file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tlcconvert.errors import InputError
from tlcconvert.images.image_file import Values, read_image, require_image_libraries
from tlcconvert.images.unusable_image import UnusableImage
from tlcconvert.machine.file_hash import sha256_of

_MOST_PIXELS = 1600 * 1200


@dataclass(frozen=True)
class Photograph:
    """An image file.

    Attributes:
        name: what the caller typed.
        sha256: of the file.
        size: height and width in pixels, the way up a camera says.
        values: its middle, at most 1.92 megapixels of it, [h, w, 1, 3 or 4] as the file has them.
    """

    name: str
    sha256: str
    size: tuple[int, int]
    values: Values

    @property
    def colours(self) -> NDArray[np.float32]:
        """Its middle as [h, w, 3] from 0 to 1, red, green, blue; as if nothing were transparent."""
        colours = self.values[..., :3] / np.float32(np.iinfo(self.values.dtype).max)
        return np.broadcast_to(colours, (*colours.shape[:2], 3)).astype(np.float32)


def read_photograph(path: Path) -> Photograph:
    """The image at ``path``.

    Raises:
        InputError: it cannot be read as an image of values that networks are for, or libraries are missing.
    """
    require_image_libraries()
    try:
        values = read_image(path)
        with path.open("rb") as file:
            sha256 = sha256_of(file)
    except (UnusableImage, OSError) as error:
        raise InputError(str(error)) from error
    size = (values.shape[0], values.shape[1])
    top, left, height, width = middle(size, _MOST_PIXELS)
    return Photograph(str(path), sha256, size, values[top : top + height, left : left + width].copy())


def middle(size: Sequence[int], most_pixels: float) -> tuple[int, int, int, int]:
    """Top, left, height and width of the middle of an image, of its shape, with at most ``most_pixels``."""
    share = min(1.0, math.sqrt(most_pixels / math.prod(size)))
    height, width = (max(1, int(extent * share)) for extent in size)
    height, width = (
        max(1, min(height, int(most_pixels // width))),
        max(1, min(width, int(most_pixels // height))),
    )
    return (size[0] - height) // 2, (size[1] - width) // 2, height, width
