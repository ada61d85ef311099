"""Folds an evaluated batch norm into the convolution, transposed convolution or linear layer before it.

Given::

    x ──► conv(x, W, b) ──► batch_norm(·, weight, bias, mean, var)

Result::

    x ──► conv(x, W', b')

With s = weight / sqrt(var + eps) and t = bias - mean * s, a batch norm on running statistics is y -> s * y +
t, so W' = s * W and b' = s * b + t, exactly. A batch norm before a convolution is left to the affine regions,
which know whether the border allows it; one that stands alone stays the one operation it is.
"""

from __future__ import annotations

import operator

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.emitter import substitute
from passes.fold.output_channels import described, has_output_channels, scale_output
from passes.program import refresh, where
from passes.result import PassResult, Rewrite, Skipped
from passes.simplify.exact_constants import ExactConstants

_KIND = "batch norm"
_FROZEN = torch.ops.aten._native_batch_norm_legit_no_training.default
_ON_THE_BATCH = torch.ops.aten._native_batch_norm_legit.no_stats
_TRAINING = {
    torch.ops.aten._native_batch_norm_legit_functional.default,
    torch.ops.aten._native_batch_norm_legit.default,
}


class TrainingBatchNorm(ValueError):
    """A batch norm is in training mode: it reads the whole batch and would update its statistics."""


def batch_norm(program: ExportedProgram) -> PassResult:
    """Folds batch norms into the layers before them, in place.

    Raises:
        TrainingBatchNorm: naming a layer that was captured in training mode.
    """
    constants = ExactConstants(program)
    rewrites: list[Rewrite] = []
    skipped: list[Skipped] = []
    for node in list(program.graph.nodes):
        if node.target in _TRAINING and node.args[5]:
            raise TrainingBatchNorm(
                f"the batch norm at {where(node)} is in training mode; call .eval() on it before converting"
            )
        if node.target is _ON_THE_BATCH:
            skipped.append(
                Skipped(_KIND, where(node), "it keeps no running statistics, so it reads the whole image")
            )
        if has_frozen_statistics(node):
            outcome = _fold(node, program, constants)
            (rewrites if isinstance(outcome, Rewrite) else skipped).append(outcome)  # type: ignore[arg-type]
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites), tuple(skipped))


def norms_before_layers(program: ExportedProgram) -> PassResult:
    """:func:`batch_norm` without a word on norms that stay, which affine regions may still fold.

    Raises:
        TrainingBatchNorm: naming a layer that was captured in training mode.
    """
    return PassResult(batch_norm(program).rewrites)


def has_frozen_statistics(node: fx.Node) -> bool:
    """Whether ``node`` is a batch norm on running statistics."""
    return node.target is _FROZEN


def scale_and_shift(node: fx.Node, constants: ExactConstants) -> tuple[torch.Tensor, torch.Tensor] | None:
    """``(s, t)`` float64 [C] of an evaluated batch norm s * y + t; None where they are not constant."""
    if any(isinstance(source, fx.Node) and source not in constants.nodes for source in node.args[1:5]):
        return None
    weight, bias, mean, variance = (
        constants.exact(source) if isinstance(source, fx.Node) else None for source in node.args[1:5]
    )
    assert mean is not None
    assert variance is not None
    scale = (variance + node.args[6]).rsqrt()
    scale = scale if weight is None else scale * weight
    return scale, -mean * scale if bias is None else bias - mean * scale


def _fold(node: fx.Node, program: ExportedProgram, constants: ExactConstants) -> Rewrite | Skipped:
    layer, place = node.args[0], where(node)
    if not has_output_channels(layer, constants):
        return Skipped(
            _KIND, place, "no layer with constant weights stands before it; it stays one scale and shift"
        )
    assert isinstance(layer, fx.Node)
    if len(layer.users) > 1:
        return Skipped(_KIND, place, f"the value before it ({where(layer)}) is read elsewhere too")
    factors = scale_and_shift(node, constants)
    if factors is None:
        return Skipped(_KIND, place, "its statistics are computed from an input")
    if layer.meta["val"].dtype != node.meta["val"][0].dtype:
        return Skipped(_KIND, place, "it changes the dtype")
    before = f"{described(layer)}, and a batch norm"
    error = scale_output(layer, *factors, last=node, constants=constants)
    if error is None:
        return Skipped(_KIND, place, "the folded weights do not fit into the dtype of the layer")
    for item in [user for user in node.users if user.target is operator.getitem and user.args[1] == 0]:
        substitute(item, layer)
    return Rewrite(_KIND, place, before, described(layer), f"float64 error {error:.1e}")
