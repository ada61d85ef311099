"""The image files among what a person names: files as they are, folders by the images in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path

from tlcconvert.errors import InputError
from tlcconvert.images.unusable_image import UnusableImage
from tlcconvert.shown_name import shown

_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".jp2"),
    *(".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pnm"),
)
"""What a folder is searched for; a file that is named is tried whatever it is called."""


def image_files(paths: Iterable[Path]) -> tuple[tuple[Path, ...], tuple[UnusableImage, ...]]:
    """Files in the order they are named, those of a folder in the order of their names, none twice.

    Folders within a folder are not looked into.

    Returns:
        the files, and what was named and is none.
    """
    files: dict[Path, Path] = {}
    unusable = []
    for path in paths:
        try:
            for file in _files_at(path):
                files.setdefault(file.resolve(), file)
        except UnusableImage as reason:
            unusable.append(reason)
        except OSError as error:
            unusable.append(UnusableImage(shown(path), f"cannot be read: {error.strerror or error}"))
    return tuple(files.values()), tuple(unusable)


def refuse_no_images(images: Collection[object], unusable: Iterable[UnusableImage]) -> None:
    """Raises InputError where there are no ``images``, with the reasons why some are not."""
    if not images:
        raise InputError(" ".join(["There is no image to work with.", *map(str, islice(unusable, 3))]))


def _files_at(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise UnusableImage(shown(path), "does not exist")
    if not path.is_dir():
        yield path
        return
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES and file.is_file())
    if not found:
        raise UnusableImage(shown(path), "is a folder without images")
    yield from found
