"""Different spellings of one global statistic, brought to one form before doors are looked for.

    mean(mean(x, W), H)          ->   mean(x, {H, W})              and every other reduction that composes
    sum(x, D) / n                ->   mean(x, D)                   and what else a statistic says it is written as

All are exact on the global network.
"""

from __future__ import annotations

from torch import fx
from torch.export import ExportedProgram

from passes.emitter import Emitter, substitute
from passes.program import refresh, where
from passes.result import PassResult, Rewrite
from passes.sizes import shape_expressions
from passes.statistics import STATISTICS
from passes.window_domain.affine_pixels import Call, call, written
from passes.window_domain.door import reduced_axes

_COMPOSING = {target for statistic in STATISTICS for target in statistic.composing}


def unify_global_forms(program: ExportedProgram) -> PassResult:
    """Rewrites every such spelling in ``program``, in place."""
    rewrites = []
    for node in list(program.graph.nodes):
        spelled = _spelled(node) or _sequential(node)
        if spelled is None:
            continue
        substitute(node, written(spelled, Emitter(node), {}))
        rewrites.append(
            Rewrite("spelling of a statistic", where(node), str(node.target), str(spelled.target))
        )
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _spelled(node: fx.Node) -> Call | None:
    for statistic in STATISTICS:
        spelled = statistic.spelled and statistic.spelled(node)
        if spelled:
            return spelled
    return None


def _sequential(node: fx.Node) -> Call | None:
    """A reduction of a reduction of the same kind."""
    if node.target not in _COMPOSING or not isinstance(inner := node.args[0], fx.Node):
        return None
    if inner.target is not node.target or len(inner.users) != 1:
        return None
    first, keeps_first = reduced_axes(inner)
    second, keeps_second = reduced_axes(node)
    if first is None or second is None or keeps_first != keeps_second:
        return None
    source = inner.args[0]
    assert isinstance(source, fx.Node)
    left = [axis for axis in range(len(shape_expressions(source))) if keeps_first or axis not in first]
    dims = sorted({*first, *(left[axis] for axis in second)})
    return call(node.target, source, dims, keeps_second)
