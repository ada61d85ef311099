"""``tlc::grid_normalize``: instance, group and layer normalisation by statistics on a grid of windows.

    y = (x - spread(mean)) / sqrt(spread(var) + eps)

Mean and variance of the nodes are exact. The variance is spread, not its inverse root: where a flat region
meets a busy one, 1 / sqrt(var + eps) falls from 1 / sqrt(eps) to about 1, and half-way between the two it would
be hundreds of times too large.
"""

from __future__ import annotations

import torch

from passes.operators.box_sum import box_sum
from passes.operators.grid_nodes import at_nodes
from passes.operators.grid_spread import grid_spread
from passes.operators.window import effective


@torch.library.custom_op("tlc::grid_normalize", mutates_args=())
def grid_normalize(
    x: torch.Tensor, window_height: int, window_width: int, groups: int, eps: float, ratio: int
) -> torch.Tensor:
    """Normalises x [N, C, H, W] over windows of min(window, size) pixels per axis and C / groups channels.

    groups = C is instance normalisation, groups = 1 layer normalisation over C, H and W. The result has the
    shape and dtype of x; computed in float64.

    Raises:
        ValueError: if a window is less than 1 pixel long, ``ratio`` is less than 1, or ``groups`` does not divide
            the channels.
    """
    _check_groups(x, groups)
    height, width = x.shape[-2:]
    window = window_height, window_width
    centred = x.double().unflatten(1, (groups, -1))
    centred = centred - centred.mean((2, 3, 4), keepdim=True)
    count = effective(window_height, height) * effective(window_width, width) * centred.shape[2]
    mean = at_nodes(box_sum(centred.sum(2), *window), *window, ratio) / count
    square = at_nodes(box_sum(centred.square().sum(2), *window), *window, ratio) / count
    variance = (square - mean.square()).clamp_(min=0)
    centred -= grid_spread(mean, height, width, *window, ratio).unsqueeze(2)
    centred *= grid_spread(variance, height, width, *window, ratio).add_(eps).rsqrt_().unsqueeze(2)
    return centred.flatten(1, 2).to(x.dtype)


@grid_normalize.register_fake
def _(
    x: torch.Tensor, window_height: int, window_width: int, groups: int, eps: float, ratio: int
) -> torch.Tensor:
    _check_groups(x, groups)
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _check_groups(x: torch.Tensor, groups: int) -> None:
    if groups < 1 or x.shape[1] % groups:
        raise ValueError(f"{groups} groups do not divide {x.shape[1]} channels")
