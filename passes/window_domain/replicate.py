"""From windows back to pixels: edge padding of the interior, and resampling between maps.

    replicate(interior [N, C, H-k+1, W-k+1]) -> [N, C, H, W]      pixel p reads window clamp(p - (k-1)//2)

Everything pointwise commutes with it, so it is written once, where a window tensor meets pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import fx

import passes.operators  # noqa: F401  registers torch.ops.tlc
from passes.emitter import Emitter
from passes.window_domain.axis import extent
from passes.window_domain.lifted import Lifted, NotLiftable
from passes.window_domain.window import FeatureMap

tlc = torch.ops.tlc


def to_own_map(emit: Emitter, lifted: Lifted) -> Lifted:
    """One value per element of the map the windows slide over."""
    if not lifted.grid.is_interior:
        return lifted
    height, width = extent(emit, lifted.grid.height), extent(emit, lifted.grid.width)
    if lifted.grid.ratio is None:
        node = emit.call(tlc.replicate.default, lifted.node, height, width)
    else:
        window = lifted.grid.map.window
        node = emit.call(tlc.grid_spread.default, lifted.node, height, width, *window, lifted.grid.ratio)
    return Lifted(node, lifted.shape, replace(lifted.grid, is_interior=False, ratio=None))


def to_extent(emit: Emitter, lifted: Lifted, height: fx.Node | int, width: fx.Node | int) -> fx.Node:
    """One value per element of a map of another resolution: ``floor((i + 1/2) * H_own / H_other)``."""
    return emit.call(tlc.nearest.default, to_own_map(emit, lifted).node, height, width)


def to_one_grid(emit: Emitter, tensors: Sequence[Lifted]) -> list[Lifted]:
    """Lifted tensors that can be combined window by window.

    Tensors of one map and window stay on its interior. Those of different maps are brought to the finest.

    Raises:
        NotLiftable: the maps cover different parts of the image.
    """
    if all(tensor.grid.matches(tensors[0].grid) for tensor in tensors):
        return list(tensors)
    if any(tensor.grid.map.part != tensors[0].grid.map.part for tensor in tensors):
        raise NotLiftable("statistics of different parts of the image are combined")
    full = [to_own_map(emit, tensor) for tensor in tensors]
    finest = max((tensor.grid for tensor in full), key=lambda grid: _area(grid.map))
    height, width = extent(emit, finest.height), extent(emit, finest.width)
    return [
        tensor
        if tensor.grid.map.height == finest.map.height and tensor.grid.map.width == finest.map.width
        else Lifted(to_extent(emit, tensor, height, width), tensor.shape, finest)
        for tensor in full
    ]


def _area(map_: FeatureMap) -> int:
    return map_.feature_size[0] * map_.feature_size[1]
