"""What people do instead of converting: the original network on overlapping tiles of training size, put together.

Neighbouring tiles share a quarter of their side. A pixel is the mean of the tiles over it, each weighed by how far
the pixel is from the tile's border, so no seam is hard.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tlcconvert.diagnosis.subject import Subject


def in_tiles(subject: Subject, network: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """``network`` on tiles of ``image``, as one output.

    Args:
        image: [1, C, H, W], larger than a crop by a multiple of the alignment, or as large.
    """
    height, width = image.shape[2:]
    rows, columns = (
        _starts(extent, side, subject.alignment)
        for extent, side in zip((height, width), subject.crop_size, strict=True)
    )
    total = weights = torch.zeros(())
    for top in rows:
        for left in columns:
            tile = network(image[..., top : top + subject.crop_size[0], left : left + subject.crop_size[1]])
            if not total.dim():
                total = tile.new_zeros(1, tile.shape[1], *subject.extents.at(height, width))
                weights = total[:, :1].clone()
            y, x = subject.output_begins_at(top, left)
            there = (..., slice(y, y + tile.shape[2]), slice(x, x + tile.shape[3]))
            weight = _pyramid(tile.shape[2], tile.shape[3])
            total[there] += weight * tile
            weights[there] += weight
    return total / weights


def _starts(extent: int, side: int, alignment: int) -> list[int]:
    step = max(alignment, 3 * side // 4 // alignment * alignment)
    return sorted({min(start, extent - side) for start in range(0, extent, step)})


def _pyramid(height: int, width: int) -> Tensor:
    rows, columns = (
        torch.minimum(torch.arange(1, side + 1), torch.arange(side, 0, -1)).float()
        for side in (height, width)
    )
    return rows[:, None] * columns
