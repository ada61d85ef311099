"""``tlc::local_normalize`` in standard ONNX operators, an instance norm a few planes at a time."""

from __future__ import annotations

from typing import cast

from onnxscript import FLOAT, ir

from tlcconvert.lowering.local_normalize import local_normalize, normalize_planes
from tlcconvert.lowering.loops.slabs import by_slabs
from tlcconvert.lowering.split_map import channels


def local_normalize_in_slabs(
    x: FLOAT, window_height: int, window_width: int, groups: int, eps: float
) -> FLOAT:
    """x [N, C, H, W] normalised by the statistics of each pixel's window and group; float32."""
    value = cast(ir.Value, x)
    if groups != channels(value):
        return local_normalize(x, window_height, window_width, groups, eps)
    return by_slabs([value], lambda slab: normalize_planes(slab, window_height, window_width, eps))
