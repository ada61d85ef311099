"""Norms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node


def _refused_training(node: Node) -> str:
    return "it is a batch norm in training mode" if node.get("training_mode", 0) else ""


@operator("BatchNormalization", outputs=1, refusal=_refused_training)
def batch_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """``(x - mean) / sqrt(variance + epsilon) * scale + bias`` per channel."""
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, node.get("epsilon", 1e-5))


@operator("InstanceNormalization")
def instance_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Every channel of every image by its own mean and variance over space."""
    return F.instance_norm(x, None, None, scale, bias, eps=node.get("epsilon", 1e-5))


@operator("GroupNormalization")
def group_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Groups of channels by their mean and variance; before opset 21 scale and bias are per group."""
    groups = node.get("num_groups")
    if scale.shape[0] == groups != x.shape[1]:
        scale = scale.repeat_interleave(x.shape[1] // groups)
        bias = bias.repeat_interleave(x.shape[1] // groups)
    return F.group_norm(x, groups, scale, bias, node.get("epsilon", 1e-5))


@operator("LayerNormalization", outputs=3)
def layer_norm(
    node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    """By mean and variance over the axes from ``axis`` on; on request the mean and the inverse deviation too."""
    axis, epsilon = node.get("axis", -1) % x.dim(), node.get("epsilon", 1e-5)
    behind = list(range(axis, x.dim()))
    asked = node.has_output(1) or node.has_output(2)
    if (
        not asked
        and all(isinstance(extent, int) for extent in x.shape[axis:])
        and scale.shape == x.shape[axis:]
    ):
        return F.layer_norm(x, list(scale.shape), scale, bias, epsilon)
    mean = x.mean(behind, keepdim=True)
    inverse = torch.rsqrt((x - mean).square().mean(behind, keepdim=True) + epsilon)
    normalized = (x - mean) * inverse * scale
    normalized = normalized if bias is None else normalized + bias
    return (normalized, mean, inverse) if asked else normalized


@operator("RMSNormalization")
def rms_norm(node: Node, x: Tensor, scale: Tensor) -> Tensor:
    """``x / sqrt(mean(x * x) + epsilon) * scale`` over the axes from ``axis`` on."""
    behind = list(range(node.get("axis", -1) % x.dim(), x.dim()))
    mean = x.square().mean(behind, keepdim=True)
    return x / torch.sqrt(mean + node.get("epsilon", 1e-5)) * scale


@operator("LpNormalization")
def lp_norm(node: Node, x: Tensor) -> Tensor:
    """``x`` over its 1- or 2-norm along ``axis``; a vector of zeros stays one."""
    axis = node.get("axis", -1)
    size = (
        x.abs().sum(axis, keepdim=True)
        if node.get("p", 2) == 1
        else x.square().sum(axis, keepdim=True).sqrt()
    )
    return torch.where(size == 0, torch.zeros_like(x), x / size)


@operator("MeanVarianceNormalization")
def mean_variance_norm(node: Node, x: Tensor) -> Tensor:
    """``(x - mean) / (deviation + 1e-9)`` over ``axes``, by default batch and space."""
    axes = list(node.get("axes") or [0, 2, 3])
    mean = x.mean(axes, keepdim=True)
    variance = (x * x).mean(axes, keepdim=True) - mean * mean
    return (x - mean) / (variance.sqrt() + 1e-9)


@operator("LRN")
def local_response_norm(node: Node, x: Tensor) -> Tensor:
    """``x / (bias + alpha / size * sum(x * x)) ** beta`` over ``size`` neighbouring channels."""
    size = node.get("size")
    square = x.square().unsqueeze(1).flatten(3)
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    summed = F.avg_pool2d(F.pad(square, (0, 0, before, after)), (size, 1), stride=1) * size
    divisor = node.get("bias", 1.0) + node.get("alpha", 1e-4) / size * summed
    return x / divisor.reshape(x.shape) ** node.get("beta", 0.75)
