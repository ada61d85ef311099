"""The statistics that become local, a folder each; importing this package registers their ``tlc::`` operators.

``STATISTICS`` is the one list of them: what localises, decomposes, lowers and tests reads its rows.
"""

from __future__ import annotations

from torch import fx

from passes.statistics.attention import ATTENTION
from passes.statistics.log_sum_exp import LOG_SUM_EXP
from passes.statistics.maximum import MAXIMUM
from passes.statistics.mean import MEAN
from passes.statistics.normalize import NORMALIZE
from passes.statistics.p_norm import P_NORM
from passes.statistics.softmax_mean import SOFTMAX_MEAN
from passes.statistics.statistic import Operator, Statistic, Whole
from passes.statistics.to_pixels import TO_PIXELS
from passes.statistics.variance import VARIANCE
from passes.window_domain.door import Door
from passes.window_domain.layout import PixelLayouts

STATISTICS = (
    ATTENTION,
    NORMALIZE,
    MEAN,
    VARIANCE,
    MAXIMUM,
    P_NORM,
    SOFTMAX_MEAN,
    LOG_SUM_EXP,
)
"""In the order they are looked for: what is taken as a whole is no longer there for the doors."""

OPERATORS: tuple[Operator, ...] = (
    *(operator for statistic in STATISTICS for operator in statistic.operators),
    *TO_PIXELS,
)


def match(node: fx.Node, layouts: PixelLayouts) -> Door | None:
    """The door ``node`` is, if it is one."""
    for statistic in STATISTICS:
        door = statistic.door and statistic.door(node, layouts)
        if door:
            return door
    return None


__all__ = ["OPERATORS", "STATISTICS", "Operator", "Statistic", "Whole", "match"]
