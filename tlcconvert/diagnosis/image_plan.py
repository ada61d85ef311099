"""What is to be run of one image: told from its size alone, so that all work is known before any is done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from tlcconvert.diagnosis.crops import crop_positions
from tlcconvert.diagnosis.region import MOST_WORK, Region, region
from tlcconvert.diagnosis.subject import Subject
from tlcconvert.images.image_file import read_image, size_of
from tlcconvert.images.network_image import as_network_takes_it
from tlcconvert.images.unusable_image import UnusableImage
from tlcconvert.shown_name import shown

CROPS_PER_IMAGE = 16
"""Of an image, they come within about 1 dB of all its crops."""
_CROPS = 64
"""In all: few images have more of theirs."""


@dataclass(frozen=True)
class ImagePlan:
    """Where in an image the network is run, and the multiply-adds that takes.

    Attributes:
        name: of the file, or its number among all images.
        size: (height, width) in pixels.
        positions: (top, left) of the crops, in the region.
    """

    name: str
    image: Path | Tensor
    size: tuple[int, int]
    region: Region
    positions: tuple[tuple[int, int], ...]
    work: int

    def pixels(self, subject: Subject) -> Tensor:
        """The region [1, C, height, width], as the network takes it.

        Raises:
            UnusableImage: the file cannot be read.
        """
        top, left, height, width = self.region
        rows, columns = slice(top, top + height), slice(left, left + width)
        if isinstance(self.image, Path):
            return as_network_takes_it(
                read_image(self.image)[rows, columns], subject.channels, subject.pixels
            )
        return _as_batch(subject, self.name, self.image)[..., rows, columns]


def planned(subject: Subject, number: int, image: Path | Tensor, count: int) -> ImagePlan:
    """What is run of ``image``, number ``number`` of ``count``.

    Raises:
        UnusableImage: it is no image, has other channels than the network, or is smaller than a crop.
    """
    if isinstance(image, Path):
        name, size = shown(image), size_of(image)
    else:
        name = f"image {number + 1}"
        size = _height_and_width(_as_batch(subject, name, image))
    crop = subject.crop_size
    if any(extent < side for extent, side in zip(size, crop, strict=True)):
        raise UnusableImage(name, f"has {size[0]}x{size[1]} pixels, less than a crop of {crop[0]}x{crop[1]}")
    run = region(subject, size, MOST_WORK / count)
    crops = max(CROPS_PER_IMAGE, -(-_CROPS // count))
    positions = crop_positions(run[2:], crop, subject.alignment, crops)
    cost = subject.cost.multiply_adds
    work = 2 * cost(1, *run[2:]) + cost(len(positions), *crop)
    return ImagePlan(name, image, size, run, positions, work)


def _height_and_width(image: Tensor) -> tuple[int, int]:
    height, width = image.shape[2:]
    return height, width


def _as_batch(subject: Subject, name: str, image: Tensor) -> Tensor:
    pixels = image.detach().float().cpu()
    pixels = pixels[None] if pixels.dim() == 3 else pixels
    if pixels.dim() != 4 or pixels.shape[0] != 1 or pixels.shape[1] != subject.channels:
        raise UnusableImage(
            name,
            f"is of shape {tuple(image.shape)}, not [{subject.channels}, height, width] as the network takes it",
        )
    return pixels
