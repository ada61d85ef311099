"""Where training-size crops of an image are taken: at random among aligned positions, and always the same."""

from __future__ import annotations

import torch


def crop_positions(
    size: tuple[int, int], crop: tuple[int, int], alignment: int, count: int
) -> tuple[tuple[int, int], ...]:
    """(top, left) of at most ``count`` crops, all different, in an order from top to bottom.

    Args:
        size, crop: height and width in pixels; ``crop`` is not larger.
        alignment: what every position is a multiple of.
    """
    rows, columns = ((extent - side) // alignment + 1 for extent, side in zip(size, crop, strict=True))
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(rows * columns, generator=generator)[:count].sort().values.tolist()
    return tuple((alignment * (index // columns), alignment * (index % columns)) for index in chosen)
