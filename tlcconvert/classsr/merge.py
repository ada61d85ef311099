"""Puts overlapping patches together again, the overlaps averaged.

Along an axis, at most two patches meet, so a patch is a head shared with the one before, a middle of its own, and
a tail shared with the one after:

    patch 0    head  middle  tail
    patch 1                  head  middle  tail
    patch 2                                head  middle  tail
    merged     head  middle  mean  middle  mean  middle  tail

Slices and concatenations of whole runs of pixels: adding each patch into the image would need a scatter, which is
slower by more than the rest of the merge together.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tlcconvert.classsr.patches import Grid


def merge(patches: Tensor, grid: Grid, height: int, width: int) -> Tensor:
    """[N, rows, columns, C, size, size] -> [N, C, height, width].

    Args:
        patches: of ``grid``, as they cover an image of at least ``height`` by ``width`` pixels.
        height, width: of the image, in pixels of the patches; what lies beyond is cropped.
    """
    strips = _merge_columns(patches.permute(0, 1, 3, 4, 2, 5), grid)[..., :width]
    return _merge_rows(strips.permute(0, 2, 1, 3, 4), grid)[..., :height, :]


def _merge_columns(patches: Tensor, grid: Grid) -> Tensor:
    """[N, rows, C, size, columns, size] -> [N, rows, C, size, columns * step + overlap]."""
    overlap, step = grid.overlap, grid.step
    if overlap == 0:
        return patches.flatten(-2)
    head, tail = patches[..., :overlap], patches[..., step:]
    means = (head[..., 1:, :] + tail[..., :-1, :]) / 2
    shared = torch.cat([head[..., :1, :], means], dim=-2)
    own = torch.cat([shared, patches[..., overlap:step]], dim=-1)
    return torch.cat([own.flatten(-2), tail[..., -1, :]], dim=-1)


def _merge_rows(strips: Tensor, grid: Grid) -> Tensor:
    """[N, C, rows, size, W] -> [N, C, rows * step + overlap, W]."""
    overlap, step = grid.overlap, grid.step
    if overlap == 0:
        return strips.flatten(-3, -2)
    head, tail = strips[..., :overlap, :], strips[..., step:, :]
    means = (head[..., 1:, :, :] + tail[..., :-1, :, :]) / 2
    shared = torch.cat([head[..., :1, :, :], means], dim=-3)
    own = torch.cat([shared, strips[..., overlap:step, :]], dim=-2)
    return torch.cat([own.flatten(-3, -2), tail[..., -1, :, :]], dim=-2)
