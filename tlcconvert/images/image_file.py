"""Reads an image file as it is: 8 or 16 bits a value, gray or colour, turned as its camera says.

Pillow tells what a file is and decodes what has 8 bits. It reduces colours of 16 bits to 8, so those are read by
torchvision (PNG) and tifffile (TIFF).
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tlcconvert.errors import InputError, first_line
from tlcconvert.images.unusable_image import UnusableImage
from tlcconvert.process_state.silence import silence
from tlcconvert.shown_name import shown, shown_text

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 2**27
"""134 megapixels: read whole, such an image of four channels takes 0.5 GB at 8 bits, 1.1 GB at 16."""

_GRAY = ("1", "L", "I;16", "I;16B", "I;16L", "I;16N")
_WITH_ALPHA = ("LA", "La", "PA", "RGBa", "RGBA")
_BITS_PER_SAMPLE, _ORIENTATION = 258, 0x0112
_AS_TURNED = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels.swapaxes(0, 1)[::-1, ::-1],
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}
"""By the orientation of EXIF, from rows and columns as stored to those as seen."""

_ON_THEIR_SIDE = (5, 6, 7, 8)

Values = NDArray[np.uint8] | NDArray[np.uint16]


def require_image_libraries() -> None:
    """Before any image is read.

    Raises:
        InputError: the libraries are not installed.
    """
    for name in ("PIL.Image", "tifffile"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise InputError(
                "Reading images needs Pillow and tifffile: pip install 'tlcconvert[images]'."
            ) from error


def size_of(path: Path) -> tuple[int, int]:
    """Height and width in pixels, as its beginning tells.

    Raises:
        UnusableImage: as :func:`read_image`, but for what only reading all of it shows.
    """
    with _opened(path) as image:
        # Pillow says of a TIFF what it measures once it is turned.
        is_turned = image.format != "TIFF" and _orientation(image) in _ON_THEIR_SIDE
        return (image.width, image.height) if is_turned else (image.height, image.width)


def read_image(path: Path) -> Values:
    """The values of an image file, [H, W, 1, 3 or 4], uint8 or uint16: gray, RGB or RGBA.

    Raises:
        UnusableImage: it is no image, or one whose values no network is trained on (animated, CMYK, floating point),
            or larger than :data:`MOST_PIXELS`.
    """
    with _opened(path) as image:
        values = _at_full_depth(path, image)
        # Pillow has turned what it decoded of a TIFF, and says so.
        return np.ascontiguousarray(_AS_TURNED.get(_orientation(image), _as_stored)(values))


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    from PIL import Image, UnidentifiedImageError

    name = shown(path)
    if not path.is_file():
        raise UnusableImage(name, "is no file" if path.exists() else "does not exist")
    if os.path.getsize(path) == 0:
        raise UnusableImage(name, "is empty")
    try:
        with silence(), Image.open(path) as image:
            _refuse(image, name)
            yield image
    except (UnusableImage, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(name) from error
    except UnidentifiedImageError as error:
        raise UnusableImage(name, "is no image that can be read") from error
    except Exception as error:  # decoders of damaged files raise whatever they meet
        raise UnusableImage(name, f"is damaged: {shown_text(first_line(error))}") from error


def _as_stored(pixels: Values) -> Values:
    return pixels


def _refuse(image: Image, name: str) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise _too_large(name)
    if getattr(image, "n_frames", 1) > 1:
        raise UnusableImage(
            name, f"has {getattr(image, 'n_frames', 1)} frames or pages: save the one that counts"
        )
    if image.mode == "CMYK":
        raise UnusableImage(name, "has the colours of a printer (CMYK): convert it to RGB")
    if image.mode not in (*_GRAY, *_WITH_ALPHA, "P", "RGB", "RGBX"):
        raise UnusableImage(name, f"has values of a kind that is not read (Pillow's mode {image.mode})")


def _too_large(name: str) -> UnusableImage:
    return UnusableImage(name, f"has more than {MOST_PIXELS // 10**6} megapixels: cut a part out of it")


def _at_full_depth(path: Path, image: Image) -> Values:
    name = shown(path)
    if _bits(image) <= 8:
        return _with_channels(np.asarray(image.convert(_plain_mode(image))))
    if image.format == "PNG":
        return _with_channels(_png(path))
    if image.format == "TIFF":
        return _with_channels(_tiff(path, name))
    if image.mode in _GRAY:
        return _with_channels(np.asarray(image).astype(np.uint16))
    raise UnusableImage(name, f"has {_bits(image)} bits a value, which is read from PNG and TIFF alone")


def _bits(image: Image) -> int:
    """Of one value as the file has it, which Pillow's mode does not tell of colours."""
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, 8)
        return int(max(bits) if isinstance(bits, tuple) else bits)
    is_deep = image.mode.startswith("I;16") or any(
        ";16" in str(tile[3]) for tile in getattr(image, "tile", ())
    )
    return 16 if is_deep else 8


def _plain_mode(image: Image) -> str:
    if image.mode == "P":
        return "RGBA" if "transparency" in image.info else "RGB"
    if image.mode in _WITH_ALPHA:
        return "RGBA"
    return "L" if image.mode in _GRAY else "RGB"


def _png(path: Path) -> NDArray[Any]:
    from torchvision.io import ImageReadMode, decode_image

    return decode_image(str(path), mode=ImageReadMode.UNCHANGED).permute(1, 2, 0).numpy()


def _tiff(path: Path, name: str) -> NDArray[Any]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            values: NDArray[Any] = page.asarray()
            if page.axes.startswith("S"):  # a plane per channel
                values = values.transpose(1, 2, 0)
            is_inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    except (KeyError, ValueError) as error:
        raise UnusableImage(
            name,
            f"is a TIFF of 16 bits that is not read ({shown_text(error)}): save it uncompressed or as PNG",
        ) from error
    if values.dtype != np.uint16:
        raise UnusableImage(name, f"has values of a kind that is not read ({values.dtype})")
    return 65535 - values if is_inverted else values


def _with_channels(values: NDArray[Any]) -> Values:
    """[H, W, 1, 3 or 4] of what may have no axis of channels, or gray and alpha."""
    if values.ndim == 2:
        return values[..., None]
    return values[..., [0, 0, 0, 1]] if values.shape[2] == 2 else values


def _orientation(image: Image) -> int:
    return int(image.getexif().get(_ORIENTATION, 1))
