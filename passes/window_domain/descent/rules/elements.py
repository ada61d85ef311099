"""Operations on each element, or on each position: the pixels stay where they are.

f(a, b)           the axes of both, which must count the same
softmax, norms    those of the input: each value stays at its place, whatever else it is computed from
"""

from __future__ import annotations

import torch

from passes.window_domain.descent.digits import Axes
from passes.window_domain.descent.operation import NoRule, Operation, Result, Rule


def combine(operation: Operation) -> Axes:
    """The operands' axes, broadcast; ``NoRule`` where there is none of them."""
    tensors = [
        source
        for source in operation.node.all_input_nodes
        if isinstance(source.meta.get("val"), torch.Tensor)
    ]
    return operation.combined([operation.axes(tensor) for tensor in tensors])


def keep(operation: Operation) -> Axes:
    """The axes of the first operand."""
    axes = operation.axes(operation.node.args[0])
    if len(axes) != len(operation.shape):
        raise NoRule
    return axes


def keep_first(operation: Operation) -> Result:
    """A norm: its first result is at the input's places, mean and deviation are not of the image."""
    values = operation.node.meta["val"]
    if isinstance(values, torch.Tensor):
        return keep(operation)
    return [operation.axes(operation.node.args[0]), *(None for _ in values[1:])]


def copy_second(operation: Operation) -> Axes:
    return operation.combined([operation.axes(operation.arguments["src"])])


def one_hot(operation: Operation) -> Axes:
    """Every element becomes a vector of channels."""
    return (*operation.axes(operation.node.args[0]), operation.plain(operation.shape[-1]))


def gate_halves(operation: Operation) -> Axes:
    """a * sigmoid(b) for the halves a and b of the channels."""
    axes = operation.axes(operation.node.args[0])
    dim = operation.arguments["dim"] % len(axes)
    if operation.image.is_spatial(operation.shape[dim]):
        raise NoRule
    return (*axes[:dim], operation.plain(operation.shape[dim]), *axes[dim + 1 :])


_KEPT = (
    "softmax", "_softmax", "log_softmax", "_log_softmax", "dropout", "feature_dropout", "alpha_dropout", "clone",
    "contiguous", "alias", "detach", "detach_", "lift_fresh_copy", "to", "_to_copy", "type_as", "prelu",
    "_prelu_kernel", "layer_norm", "rms_norm", "group_norm", "instance_norm", "batch_norm", "l1_norm", "renorm",
    "real", "imag", "resolve_conj", "resolve_neg", "_conj", "conj",
)  # fmt: skip
_COMBINED = (
    "where", "complex", "polar", "clamp", "clamp_min", "clamp_max", "masked_fill", "lerp", "addcmul", "addcdiv",
    "isclose", "copysign", "rsub", "float_power", "hardswish", "log_sigmoid", "rrelu_with_noise", "floor_divide",
    "absolute", "negative", "fix", "_add_relu", "subtract", "multiply", "divide", "true_divide",
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh",
    "greater", "greater_equal", "less", "less_equal", "not_equal",
    "special_digamma", "special_erf", "special_erfc", "special_erfinv", "special_exp2", "special_expit",
    "special_expm1", "special_gammainc", "special_gammaincc", "special_gammaln", "special_i0", "special_log1p",
    "special_logit", "special_multigammaln", "special_ndtr", "special_polygamma", "special_psi", "special_round",
    "special_sinc", "special_xlogy",
)  # fmt: skip
"""PyTorch tags most operations of this kind as pointwise; these it does not."""
_NORMS = (
    "native_layer_norm", "native_group_norm", "native_batch_norm", "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training", "_native_batch_norm_legit_functional", "cudnn_batch_norm",
    "_fused_rms_norm", "native_dropout",
)  # fmt: skip

RULES: dict[str, Rule] = {
    **dict.fromkeys(_KEPT, keep),
    **dict.fromkeys(_COMBINED, combine),
    **dict.fromkeys(_NORMS, keep_first),
    "copy": copy_second,
    "glu": gate_halves,
    "one_hot": one_hot,
}
