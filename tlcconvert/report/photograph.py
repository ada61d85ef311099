"""Reads a photograph for the report. Pillow is an extra, ``tlcconvert[images]``."""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlcconvert.errors import InputError
from tlcconvert.shown_name import shown, shown_text

_MOST_PIXELS = 1600 * 1200

NEEDED = "Pictures need Pillow: pip install 'tlcconvert[images]'."


@dataclass(frozen=True)
class Photograph:
    """An image file.

    Attributes:
        name: what the caller typed.
        sha256: of the file.
        size: height and width in pixels, the way up a camera says.
        pixels: its middle, at most 1.92 megapixels of it, [h, w, 3] float32 from 0 to 1, red, green, blue.
    """

    name: str
    sha256: str
    size: tuple[int, int]
    pixels: NDArray[np.float32]


def require_pillow() -> None:
    """Raises InputError, saying how to install it, where Pillow is missing."""
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise InputError(NEEDED) from error


def read_photograph(path: Path) -> Photograph:
    """The image at ``path``: grey becomes colour, CMYK RGB; what is transparent is shown as if it were not.

    Pillow reduces 16 bits of a colour to 8, which is what pictures of a report have; 16 bits of grey are kept.

    Raises:
        InputError: it is no still image that Pillow reads, or Pillow is missing.
    """
    require_pillow()
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"Cannot read {shown(path)}: {reason}.") from error
    try:
        size, pixels = _decoded(content)
    except InputError as error:
        raise InputError(f"{shown(path)} {error}") from error
    except Exception as error:
        raise InputError(f"{shown(path)} cannot be read as an image: {shown_text(error, 120)}.") from error
    return Photograph(str(path), hashlib.sha256(content).hexdigest(), size, pixels)


def _decoded(content: bytes) -> tuple[tuple[int, int], NDArray[np.float32]]:
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(content)) as file:
            if (frames := getattr(file, "n_frames", 1)) > 1:
                raise InputError(f"has {frames} frames: name a still image.")
            if file.mode == "F":
                raise InputError("has floating-point values without a range: name an image of 8 or 16 bits.")
            whole: Any = ImageOps.exif_transpose(file)
            size = (whole.height, whole.width)
            top, left, height, width = middle(size, _MOST_PIXELS)
            part = whole.crop((left, top, left + width, top + height))
            if part.mode.startswith("I"):
                grey = (np.asarray(part, np.float32) / np.float32(65535)).clip(0, 1)
                return size, np.repeat(grey[..., None], 3, axis=2)
            return size, np.asarray(part.convert("RGB"), np.float32) / np.float32(255)


def middle(size: Sequence[int], most_pixels: float) -> tuple[int, int, int, int]:
    """Top, left, height and width of the middle of an image, of its shape, with at most ``most_pixels``."""
    share = min(1.0, math.sqrt(most_pixels / math.prod(size)))
    height, width = (max(1, int(extent * share)) for extent in size)
    height, width = (
        max(1, min(height, int(most_pixels // width))),
        max(1, min(width, int(most_pixels // height))),
    )
    return (size[0] - height) // 2, (size[1] - width) // 2, height, width
