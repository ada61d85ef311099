"""The log-sum-exp of a window, a smooth maximum."""

from __future__ import annotations

import torch

from passes.statistics.log_sum_exp import door, formula, operator, separated, spellings  # noqa: F401
from passes.statistics.statistic import Operator, Statistic

LOG_SUM_EXP = Statistic(
    operators=(
        Operator(
            torch.ops.tlc.local_log_sum_exp.default, formula=formula.local_log_sum_exp, is_plane_by_plane=True
        ),
    ),
    door=door.match,
    separated=separated.SEPARATED,
    spelled=spellings.spelled,
    composing=(torch.ops.aten.logsumexp.default,),
)
