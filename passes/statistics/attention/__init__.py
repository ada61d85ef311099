"""Transposed self-attention in windows."""

from __future__ import annotations

import torch

from passes.statistics.attention import aten, door, operator  # noqa: F401
from passes.statistics.statistic import Operator, Statistic, Whole

ATTENTION = Statistic(
    operators=(Operator(torch.ops.tlc.window_attention.default, aten=aten.window_attention),),
    whole=Whole(door.match, door.attend_locally),
)
