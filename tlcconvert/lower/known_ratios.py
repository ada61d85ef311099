"""Resizing to an extent that is a whole multiple of the map's, whatever the image: resizing by that number.

Given      upsample_nearest2d(x [N, C, h, w], size (2h, 2w))

Result     upsample_nearest2d(x [N, C, h, w], factors (2, 2))

To an extent nobody knows beforehand, rows are gathered by the quotient of the extents. By a whole factor runtimes
copy each row a number of times.
"""

from __future__ import annotations

from typing import Any

import sympy
import torch
from torch import fx
from torch.export import ExportedProgram

from passes.program import where
from passes.result import PassResult, Rewrite
from passes.sizes import expression, same, shape_expressions

aten = torch.ops.aten

_NEAREST = (
    aten.upsample_nearest1d.vec,
    aten.upsample_nearest2d.vec,
    aten._upsample_nearest_exact1d.vec,
    aten._upsample_nearest_exact2d.vec,
)


def resize_by_known_ratios(program: ExportedProgram) -> PassResult:
    """Rewrites every such resize to the nearest pixel, in place."""
    rewrites = []
    for node in program.graph.nodes:
        if node.op != "call_function" or node.target not in _NEAREST or node.args[1] is None:
            continue
        source, sizes = node.args[0], node.args[1]
        extents = shape_expressions(source)[-len(sizes) :]
        ratios = [_ratio(size, extent) for size, extent in zip(sizes, extents, strict=True)]
        if all(ratios):
            node.args = (source, None, [float(ratio) for ratio in ratios if ratio])
            rewrites.append(
                Rewrite("resize", where(node), "to an extent", "by " + "x".join(map(str, ratios)))
            )
    return PassResult(tuple(rewrites))


def _ratio(size: Any, extent: sympy.Expr) -> int | None:
    """r >= 1 with ``size == r * extent`` by algebra."""
    target = expression(size.meta["val"] if isinstance(size, fx.Node) else size)
    ratio = sympy.cancel(target / extent)
    return int(ratio) if ratio.is_Integer and ratio >= 1 and same(target, ratio * extent) else None
