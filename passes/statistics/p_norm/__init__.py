"""The p-norm of a window, composed of means or maxima."""

from __future__ import annotations

from passes.statistics.p_norm import door
from passes.statistics.statistic import Statistic

P_NORM = Statistic(door=door.match)
