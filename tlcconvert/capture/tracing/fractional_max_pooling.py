"""Adaptive max pools to a fraction of their map, in a form the exporter keeps symbolic.

    adaptive_max_pool2d(x, (H // k, W // k))    ->    max_pool2d(x, k)                       k divides H and W
                                                ->    x[rows of cell i].amax() per axis      otherwise

Cell i of n along an axis of extent H covers the rows floor(i * H / n) to ceil((i + 1) * H / n) - 1, at most 2k of
them. ``torch.export`` takes the number of cells for a constant and would fix the size of the image to the example's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tlcconvert.capture.tracing.same_size import same_size

_LARGEST_FACTOR = 64


def _pooled(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The pool in symbolic form, or ``NotImplemented`` where it is another one."""
    counts = tuple(output_size) if isinstance(output_size, (tuple, list, torch.Size)) else (output_size,) * 2
    if return_indices or not all(isinstance(count, torch.SymInt) for count in counts):
        return NotImplemented
    extents = input.shape[-2:]
    factors = [
        factor
        for extent, count in zip(extents, counts, strict=True)
        if (factor := _factor(extent, count)) is not None
    ]
    if len(factors) < 2:
        return NotImplemented
    pairs = zip(factors, counts, extents, strict=True)
    if all(same_size(factor * count, extent) for factor, count, extent in pairs):
        return functional.max_pool2d(input, factors)
    for axis, count, factor in zip((-2, -1), counts, factors, strict=True):
        input = _pooled_along(input, axis, count, factor)
    return input


def _factor(extent: Any, count: Any) -> int | None:
    """The number k with ``count = extent // k``."""
    factors = range(1, _LARGEST_FACTOR + 1)
    return next((factor for factor in factors if same_size(extent // factor, count)), None)


def _pooled_along(image: Tensor, axis: int, count: Any, factor: int) -> Tensor:
    extent = image.shape[axis]
    cells = torch.arange(count, device=image.device)
    first = (cells * extent).floor_divide(count)
    last = ((cells + 1) * extent + count - 1).floor_divide(count) - 1
    steps = torch.arange(2 * factor, device=image.device)
    members = torch.minimum(first[:, None] + steps, last[:, None])
    return (
        image.index_select(axis, members.flatten())
        .unflatten(axis, (count, 2 * factor))
        .amax(axis + image.dim() + 1)
    )


SYMBOLIC_FRACTIONAL_MAX_POOLING = {functional.adaptive_max_pool2d: _pooled}
