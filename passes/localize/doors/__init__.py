"""The global statistics that become local ones: one file each, each with a ``match``."""

from __future__ import annotations

from torch import fx

from passes.localize.doors import extreme, mean, norm, variance, weighted_mean
from passes.localize.doors.door import Door, Doorway
from passes.localize.layout import PixelLayouts

_STATISTICS = (mean, variance, extreme, norm, weighted_mean)


def match(node: fx.Node, layouts: PixelLayouts) -> Door | None:
    """The door ``node`` is, if it is one."""
    for statistic in _STATISTICS:
        door = statistic.match(node, layouts)
        if door is not None:
            return door
    return None


__all__ = ["Door", "Doorway", "match"]
