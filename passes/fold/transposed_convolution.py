"""Folds per-channel scales and shifts into the transposed convolution before them.

Given::

    x ──► conv_transpose(x, W, b) ──► mul(·, s) ──► add(·, t)     # s, t constant per channel

Result::

    x ──► conv_transpose(x, W', b')                               # W' = s * W, b' = s * b + t

A transposed convolution writes each pixel into a stride x stride cell whose pixels have kernels of their own,
so it composes with a neighbouring convolution into no single one.
"""

from __future__ import annotations

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.emitter import substitute
from passes.fold.affine_form import NotAffineError, identity
from passes.fold.affine_transfer import Transfer, transfer
from passes.fold.channel_constants import ChannelConstants
from passes.fold.output_channels import TRANSPOSED_CONVOLUTIONS, described, has_output_channels, scale_output
from passes.program import refresh, where
from passes.result import PassResult, Rewrite, Skipped
from passes.simplify.exact_constants import ExactConstants

_KIND = "transposed convolution"
_aten = torch.ops.aten
_POINTWISE = {
    _aten.mul.Tensor,
    _aten.mul.Scalar,
    _aten.div.Tensor,
    _aten.div.Scalar,
    _aten.add.Tensor,
    _aten.add.Scalar,
    _aten.sub.Tensor,
    _aten.sub.Scalar,
    _aten.rsub.Scalar,
    _aten.neg.default,
}
_NEIGHBOURS = {_aten.conv2d.default, _aten.conv2d.padding, _aten.conv_transpose2d.input}


def transposed_convolution(program: ExportedProgram) -> PassResult:
    """Folds scales and shifts into 2-D transposed convolutions in place; names neighbours that stay."""
    constants = ExactConstants(program)
    rewrites: list[Rewrite] = []
    skipped: list[Skipped] = []
    for node in list(program.graph.nodes):
        if node.target not in TRANSPOSED_CONVOLUTIONS or node.meta["val"].dim() != 4:
            continue
        while (folded := _fold_reader(node, program, constants)) is not None:
            rewrites.append(folded)
        if _has_neighbour(node):
            reason = "it and the convolution next to it make no single one; only scales and norms fold in"
            skipped.append(Skipped(_KIND, where(node), reason))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites), tuple(skipped))


def _fold_reader(node: fx.Node, program: ExportedProgram, constants: ExactConstants) -> Rewrite | None:
    """Folds the only reader of ``node`` into it, where that is a constant scale or shift that fits its dtype."""
    if len(node.users) != 1 or not has_output_channels(node, constants):
        return None
    reader = next(iter(node.users))
    if reader.target not in _POINTWISE or reader.meta["val"].dtype != node.meta["val"].dtype:
        return None
    channels = node.meta["val"].shape[1]
    context = Transfer(constants, ChannelConstants(constants), {node: identity(channels)}, channels)
    try:
        form = transfer(reader, context)
    except NotAffineError:
        return None
    before = f"{described(node)}, and {str(reader.target).split('.')[1]}"
    error = scale_output(node, form.kernel.flatten(), form.bias, last=reader, constants=constants)
    if error is None:
        return None
    place = where(reader)
    substitute(reader, node)
    program.graph.erase_node(reader)
    return Rewrite(_KIND, place, before, described(node), f"float64 error {error:.1e}")


def _has_neighbour(node: fx.Node) -> bool:
    return any(other.target in _NEIGHBOURS for other in (*node.all_input_nodes, *node.users))
