"""A pixel shuffle as two interleavings, first of columns, then of rows.

    Given    pixel_shuffle(x [N, C*r*r, H, W], r)                                        [N, C, H*r, W*r]
    Result   x as [N, C, r, r, H*W] -> last two axes swapped    [N, C, r, H*W, r]        columns interleaved
               as [N, C, r, H, W*r] -> axes 2 and 3 swapped     [N, C, H, r, W*r]        rows interleaved

    y[c, h*r + a, w*r + b] = x[c*r*r + a*r + b, h, w]

onnxruntime moves a pixel shuffle number by number, along six axes. The first swap is a transposition of matrices, the
second moves whole rows: a third of the time or less.
"""

from __future__ import annotations

import logging
import operator

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.emitter import Emitter, substitute
from passes.not_taken import not_taken
from passes.program import refresh, where
from passes.result import PassResult, Rewrite

_log = logging.getLogger(__name__)

aten = torch.ops.aten


def pixel_shuffle(program: ExportedProgram) -> PassResult:
    """Rewrites every pixel shuffle of a batch of maps, in place."""
    rewrites = []
    for node in list(program.graph.nodes):
        if node.target is not aten.pixel_shuffle.default:
            continue
        if node.meta["val"].dim() != 4:
            not_taken(_log, node, "it is not of a batch of maps")
            continue
        substitute(node, _interleaved(node))
        rewrites.append(Rewrite("pixel shuffle", where(node), "6 axes at once", "columns, then rows"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _interleaved(node: fx.Node) -> fx.Node:
    source, factor = bound_arguments(node).values()
    channels = int(node.meta["val"].shape[1])
    emit = Emitter(node)
    batch, height, width = (emit.size(source, axis) for axis in (0, 2, 3))
    area = emit.call(operator.mul, height, width)
    tall, wide = (emit.call(operator.mul, size, factor) for size in (height, width))
    phases = emit.reshape(source, [batch, channels, factor, factor, area])
    columns = emit.call(aten.transpose.int, phases, 3, 4)
    rows = emit.reshape(columns, [batch, channels, factor, height, wide])
    interleaved = emit.call(aten.transpose.int, rows, 2, 3)
    return emit.reshape(interleaved, [batch, channels, tall, wide])
