"""Rewrites that change how long a graph takes and not what it computes; each says what it was measured on."""

from __future__ import annotations

from torch.export import ExportedProgram

from passes.speed.channel_mean import channel_mean
from passes.speed.split_convolution import split_convolution
from passes.speed.squeeze_first import squeeze_first
from passes.speed.whole_channel_blocks import whole_channel_blocks


def speed_up(program: ExportedProgram) -> None:
    """Applies all of them to ``program`` in place."""
    channel_mean(program)
    split_convolution(program)
    whole_channel_blocks(program)
    squeeze_first(program)
