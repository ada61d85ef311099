"""``tlc::spread_product`` in standard ONNX operators, a few planes at a time."""

from __future__ import annotations

from typing import Any, cast

from onnxscript import ir

from passes.words import to_pixels
from passes.words.grid import has_every_window, interpolations, spread
from passes.words.words import Map
from tlcconvert.lower.forms.loops.slabs import by_slabs, in_slabs
from tlcconvert.lower.forms.words import Onnx


def spread_product_in_slabs(x: Map, grid: Map, window_height: int, window_width: int, ratio: int) -> Any:
    """x [N, C, H, W] times grid [N, C, gh, gw] spread over H x W; all slabs share the interpolation."""
    if has_every_window(window_height, window_width, ratio):
        return in_slabs(to_pixels.replicated_product)(x, grid)
    w = Onnx()
    axes = interpolations(w, w.size(x, 2), w.size(x, 3), window_height, window_width, ratio)
    maps = [cast(ir.Value, part) for part in (x, grid)]
    return by_slabs(maps, lambda pixels, nodes: w.multiply(pixels, spread(w, nodes, *axes)))
