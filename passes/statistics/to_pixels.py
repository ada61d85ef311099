"""The operators that bring one value per window back to pixels."""

from __future__ import annotations

import torch

import passes.operators  # noqa: F401  registers them
from passes.statistics.statistic import Operator
from passes.words import to_pixels

tlc = torch.ops.tlc

TO_PIXELS = (
    Operator(tlc.replicate.default, formula=to_pixels.replicate),
    Operator(
        tlc.replicated_product.default,
        formula=to_pixels.replicated_product,
        gate=tlc.replicate.default,
        is_plane_by_plane=True,
    ),
    Operator(tlc.nearest.default, formula=to_pixels.nearest),
    Operator(tlc.grid_spread.default, formula=to_pixels.grid_spread, exact=tlc.replicate.default),
    Operator(
        tlc.spread_product.default,
        formula=to_pixels.spread_product,
        exact=tlc.replicated_product.default,
        gate=tlc.grid_spread.default,
    ),
)
