"""Adaptive pools whose bins are the same at every size.

Given::

    x [N, C, H, W] ──► adaptive_avg_pool2d(x, (H, 1))         # (None, 1): one bin per row
    y [N, C, H, W] ──► adaptive_avg_pool2d(y, (H / 2, W / 2)) # where H and W are even

Result::

    x ──► mean(x, 3)
    y ──► avg_pool2d(y, 2)

Bin i of k along an axis of n pixels is floor(i * n / k) ... ceil((i + 1) * n / k) - 1: all pixels where k = 1, one
where k = n, and q of them side by side where n = q * k.
"""

from __future__ import annotations

import logging
from typing import Any

import sympy
import torch
from torch import fx
from torch.export import ExportedProgram

from passes.emitter import Emitter, substitute
from passes.not_taken import not_taken
from passes.program import refresh, where
from passes.result import PassResult, Rewrite
from passes.sizes import expression, same, shape_expressions

_log = logging.getLogger(__name__)

aten = torch.ops.aten

_KIND = "adaptive pool with known bins"
_POOLS: dict[Any, Any] = {
    aten.adaptive_avg_pool1d.default: aten.avg_pool1d.default,
    aten.adaptive_avg_pool2d.default: aten.avg_pool2d.default,
}


def known_bins(program: ExportedProgram) -> PassResult:
    """Replaces such pools by a mean over one axis or a pool with a kernel; a pool to 1x1 stays as it is."""
    rewrites = []
    for node in list(program.graph.nodes):
        if node.op != "call_function" or node.target not in _POOLS:
            continue
        pool = _with_known_bins(node)
        if pool is None:
            not_taken(_log, node, "its bins are the whole map, or of different lengths at different sizes")
            continue
        target, args = pool
        substitute(node, Emitter(node).call(target, *args))
        rewrites.append(Rewrite(_KIND, where(node), node.target.__name__, str(target)))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _with_known_bins(node: fx.Node) -> tuple[Any, tuple[Any, ...]] | None:
    """The operator that takes the place of ``node``, and its arguments."""
    source, counts = node.args
    assert isinstance(source, fx.Node) and isinstance(counts, (list, tuple))
    extents = shape_expressions(source)[-len(counts) :]
    bins = [_expression(count) for count in counts]
    is_kept = [same(count, extent) for count, extent in zip(bins, extents, strict=True)]
    single = [axis - len(bins) for axis, count in enumerate(bins) if count == 1 and not is_kept[axis]]
    if len(single) == 2:
        return None
    if single and all(kept or count == 1 for kept, count in zip(is_kept, bins, strict=True)):
        return aten.mean.dim, (source, single, True)
    lengths = [_length(extent, count) for extent, count in zip(extents, bins, strict=True)]
    if None in lengths:
        return None
    return _POOLS[node.target], (source, lengths)


def _expression(size: Any) -> sympy.Expr:
    return expression(size.meta["val"] if isinstance(size, fx.Node) else size)


def _length(extent: sympy.Expr, count: sympy.Expr) -> int | None:
    """q where ``extent == q * count`` at every size, by algebra."""
    length = sympy.cancel(extent / count)
    return int(length) if length.is_Integer and same(extent, length * count) else None
