"""Transposed self-attention in windows."""

from __future__ import annotations

import torch

from passes.statistics.attention import aten, cost, door, operator  # noqa: F401
from passes.statistics.statistic import Operator, Statistic, Whole

ATTENTION = Statistic(
    operators=(
        Operator(
            torch.ops.tlc.window_attention.default,
            aten=aten.window_attention,
            multiply_adds=cost.multiply_adds,
        ),
    ),
    whole=Whole(door.match, door.attend_locally),
)
