"""The images that files are run at."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.latency.subjects import Subject
from benchmarks.runtimes.files import Kind
from benchmarks.runtimes.subjects import MULTIPLE, window_of
from tests.oracles.comparison import uneven_image

LEVEL, SPREAD = 70.1, 0.1
"""Of the image of low contrast: a flat area at the level, and one of noise this far above it."""


@dataclass(frozen=True)
class Image:
    """A batch of images: noise whose strength grows and a bright block, or low contrast at a high level."""

    name: str
    batch: int
    height: int
    width: int
    is_low_contrast: bool = False

    def pixels(self) -> Tensor:
        """``[batch, 3, height, width]``."""
        if not self.is_low_contrast:
            return uneven_image(3, self.height, self.width, self.batch)
        generator = torch.Generator().manual_seed(1)
        noise = torch.rand(self.batch, 3, self.height, self.width, generator=generator)
        return LEVEL + SPREAD * noise * (torch.arange(self.width) >= self.width // 2)


def _dynamic(window: int) -> tuple[Image, ...]:
    """Images by which every map has a window that is not full, just full, and fits more than once."""
    return (
        Image("below the window", 1, window * 5 // 9, window * 7 // 9),
        Image("the window", 1, window, window),
        Image("odd, batch of 2", 2, window + 25, window + 9),
        Image("several windows", 1, 2 * window + 25, window + 97),
        Image("low contrast", 1, window + 28, window + 16, is_low_contrast=True),
    )


def images_for(subject: Subject, kind: Kind, *, one_at_a_time: bool) -> tuple[Image, ...]:
    """What a file of this kind is run at; ``one_at_a_time``: without batches of more."""
    if kind.is_static:
        return (
            Image("its size", 1, *subject.size),
            Image("low contrast", 1, *subject.size, is_low_contrast=True),
        )
    return tuple(
        Image(
            image.name,
            1 if one_at_a_time else image.batch,
            _accepted(image.height, kind),
            _accepted(image.width, kind),
            image.is_low_contrast,
        )
        for image in _dynamic(window_of(subject))
    )


def _accepted(extent: int, kind: Kind) -> int:
    return -(-extent // MULTIPLE) * MULTIPLE if kind.is_stock else extent
