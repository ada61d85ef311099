"""Covers an image with overlapping patches.

Patches start every ``step`` pixels from the top left corner; the last row and column reach the far border or
beyond it, where the border is replicated. So every pixel is covered, whatever the size of the image, and an image
smaller than a patch is one patch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tlcconvert.errors import InputError


@dataclass(frozen=True)
class Grid:
    """Size of the patches and distance between their starts, in pixels.

    Raises:
        InputError: ``step`` is above ``size``, which leaves pixels uncovered, or below half of it, where more than
            two patches would overlap along an axis.
    """

    size: int
    step: int

    def __post_init__(self) -> None:
        if not self.size <= 2 * self.step <= 2 * self.size:
            raise InputError(
                f"The patch step is between half the patch size and the patch size ({-(-self.size // 2)} to "
                f"{self.size} pixels), not {self.step}."
            )

    @property
    def overlap(self) -> int:
        return self.size - self.step

    def count(self, length: int) -> int | torch.SymInt:
        """How many patches cover ``length`` pixels; ``length`` may be symbolic."""
        return torch.sym_max(1, (length - self.overlap + self.step - 1) // self.step)

    def positions(self, length: int) -> Tensor:
        """The pixel at every place of every patch along an axis of ``length`` pixels, [count, size], int64."""
        starts = torch.arange(self.count(length)) * self.step
        return (starts[:, None] + torch.arange(self.size)).clamp(max=length - 1)


def crop(image: Tensor, grid: Grid) -> Tensor:
    """[N, C, H, W] -> [N, rows, columns, C, size, size]."""
    height, width = image.shape[2:]
    rows = image[:, :, grid.positions(height)]
    return rows[..., grid.positions(width)].permute(0, 2, 4, 1, 3, 5)
