"""A map divided by one number per pixel as its product with their reciprocals.

    Given    x [N, C, H, W] / d [N, 1, H, W]
    Result   x * (1 / d)

    x[c, p] / d[p] = x[c, p] * (1 / d[p])        but for one rounding more

This is the last step of a norm over channels: C divisions per pixel become one.
"""

from __future__ import annotations

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.program import refresh, where
from passes.result import PassResult, Rewrite
from passes.sizes import shape_expressions

aten = torch.ops.aten


def pixel_division(program: ExportedProgram) -> PassResult:
    """Rewrites every division of a map of several channels by a map of one, in place."""
    rewrites = []
    for node in list(program.graph.nodes):
        if node.target is not aten.div.Tensor or not _is_by_one_number_per_pixel(node):
            continue
        map_, divisor = node.args
        with program.graph.inserting_before(node):
            reciprocal = program.graph.call_function(aten.reciprocal.default, (divisor,))
        node.target, node.args = aten.mul.Tensor, (map_, reciprocal)
        rewrites.append(Rewrite("division of a map", where(node), "division", "product"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _is_by_one_number_per_pixel(node: fx.Node) -> bool:
    map_, divisor = node.args
    if not isinstance(map_, fx.Node) or not isinstance(divisor, fx.Node):
        return False
    shape, other = shape_expressions(map_), shape_expressions(divisor)
    if len(shape) != 4 or len(other) != 4 or not divisor.meta["val"].is_floating_point():
        return False
    return shape[1] != 1 and other[1] == 1 and shape[2:] == other[2:]
