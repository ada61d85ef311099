"""Scaling and shifting the output channels of a linear layer through its weights.

For y = W x + b and per-channel s, t:  s * y + t = (s * W) x + (s * b + t), whatever the layer's stride,
padding or groups. Only the axis of W that counts output channels differs: the first for a convolution [O,
C/groups, ...] and a linear layer [O, C]; for a transposed convolution [C, O/groups, ...] the second, per
group.
"""

from __future__ import annotations

import torch
from torch import fx

from passes.arguments import ordered_arguments
from passes.fold.parameter_name import parameter_name
from passes.simplify.exact_constants import ExactConstants, run_in_float64

_aten = torch.ops.aten
CONVOLUTIONS = {
    _aten.conv1d.default,
    _aten.conv1d.padding,
    _aten.conv2d.default,
    _aten.conv2d.padding,
    _aten.conv3d.default,
    _aten.conv3d.padding,
}
TRANSPOSED_CONVOLUTIONS = {
    _aten.conv_transpose1d.default,
    _aten.conv_transpose2d.input,
    _aten.conv_transpose3d.input,
}
_LINEAR = {_aten.linear.default}
_TRANSPOSED_GROUPS_AT = 6


def has_output_channels(node: object, constants: ExactConstants) -> bool:
    """Whether ``node`` is a layer with constant weights whose output channels are its second axis."""
    if not isinstance(node, fx.Node) or node.target not in CONVOLUTIONS | TRANSPOSED_CONVOLUTIONS | _LINEAR:
        return False
    weight, bias = node.args[1], _bias(node)
    if weight not in constants.nodes or (bias is not None and bias not in constants.nodes):
        return False
    return node.meta["val"].dim() == weight.meta["val"].dim()  # type: ignore[union-attr]


def described(node: fx.Node) -> str:
    """The layer and its multiply-adds, per output pixel (of a transposed convolution: per input pixel)."""
    weight = node.args[1]
    assert isinstance(weight, fx.Node)
    name = "convolution" if node.target in CONVOLUTIONS else "linear layer"
    name = "transposed convolution" if node.target in TRANSPOSED_CONVOLUTIONS else name
    return f"1 {name}, {weight.meta['val'].numel():,} MACs per pixel"


def scale_output(
    node: fx.Node, scale: torch.Tensor, shift: torch.Tensor, last: fx.Node, constants: ExactConstants
) -> float | None:
    """Makes ``node`` compute ``scale * y + shift``, both float64 [1] or [O], in place of y.

    Returns the largest difference, relative to the largest value, between the two in float64 on a random
    input with as many pixels as the layer's kernel spans; None, with nothing changed, where the new weights do
    not fit into the layer's dtype. They are named after ``last``.
    """
    weight, bias = constants.exact(node.args[1]), _bias(node)  # type: ignore[arg-type]
    old_bias = None if bias is None else constants.exact(bias)
    channels = _output_channels(node, weight)
    scale, shift = scale.expand(channels), shift.expand(channels)
    scaled = weight * _along_outputs(node, scale, weight)
    moved = shift if old_bias is None else old_bias * scale + shift
    dtype = node.meta["val"].dtype
    if not all(bool(tensor.to(dtype).isfinite().all()) for tensor in (scaled, moved)):
        return None
    error = _difference(node, (weight, old_bias), (scaled, moved), scale, shift)
    new_weight = constants.add(parameter_name(last, "weight"), scaled, dtype)
    new_bias = constants.add(parameter_name(last, "bias"), moved, dtype) if bool(moved.any()) else None
    node.args = (node.args[0], new_weight, new_bias, *node.args[3:])
    node.kwargs = {name: value for name, value in node.kwargs.items() if name != "bias"}
    return error


def _bias(node: fx.Node) -> fx.Node | None:
    bias = node.args[2] if len(node.args) > 2 else node.kwargs.get("bias")
    assert bias is None or isinstance(bias, fx.Node)
    return bias


def _groups(node: fx.Node) -> int:
    """Groups of a transposed convolution."""
    return int(ordered_arguments(node)[_TRANSPOSED_GROUPS_AT])


def _output_channels(node: fx.Node, weight: torch.Tensor) -> int:
    return weight.shape[1] * _groups(node) if node.target in TRANSPOSED_CONVOLUTIONS else weight.shape[0]


def _along_outputs(node: fx.Node, scale: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """``scale`` [O] shaped to multiply ``weight``."""
    taps = (1,) * (weight.dim() - 2)
    if node.target not in TRANSPOSED_CONVOLUTIONS:
        return scale.reshape(-1, 1, *taps)
    groups = _groups(node)
    per_input = scale.reshape(groups, 1, -1).expand(groups, weight.shape[0] // groups, -1)
    return per_input.reshape(weight.shape[0], -1, *taps)


def _difference(
    node: fx.Node,
    before: tuple[torch.Tensor, torch.Tensor | None],
    after: tuple[torch.Tensor, torch.Tensor | None],
    scale: torch.Tensor,
    shift: torch.Tensor,
) -> float:
    image = _smallest_input(node, before[0])
    shape = (1, -1) if node.target in _LINEAR else (1, -1) + (1,) * (image.dim() - 2)
    rest = {name: value for name, value in node.kwargs.items() if name != "bias"}
    plain = run_in_float64(node, (image, *before, *node.args[3:]), rest)
    expected = plain * scale.reshape(shape) + shift.reshape(shape)
    actual = run_in_float64(node, (image, *after, *node.args[3:]), rest)
    return float((actual - expected).abs().max()) / (float(expected.abs().max()) or 1.0)


def _smallest_input(node: fx.Node, weight: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if node.target in _LINEAR:
        return torch.randn(1, weight.shape[1], generator=generator, dtype=torch.float64)
    steps = node.args[5] if len(node.args) > 5 and node.target in CONVOLUTIONS else [1]
    widest = max(step for step in steps if isinstance(step, int))  # type: ignore[union-attr]
    reach = [widest * (taps - 1) + 1 for taps in weight.shape[2:]]
    transposed = node.target in TRANSPOSED_CONVOLUTIONS
    channels = weight.shape[0] if transposed else weight.shape[1] * _groups(node)
    return torch.randn(1, channels, *reach, generator=generator, dtype=torch.float64)
