"""Convolutions over one, two or three axes."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from tlcconvert.onnx_input.operators.borders import is_symmetric, padded, pads_of, spatial
from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node

_CONVOLUTIONS: dict[int, Any] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED: dict[int, Any] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@operator("Conv")
def conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``weight`` [M, C / group, ...]; zeros around the map."""
    axes = weight.dim() - 2
    pads = pads_of(node, x, weight.shape[2:])
    padding = [before for before, _ in pads] if is_symmetric(pads) else 0
    x = x if is_symmetric(pads) else padded(x, pads)
    strides, dilations = spatial(node, "strides", axes), spatial(node, "dilations", axes)
    return _CONVOLUTIONS[axes](x, weight, bias, strides, padding, dilations, node.get("group", 1))


@operator("ConvTranspose")
def conv_transpose(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``weight`` [C, M / group, ...]; ``pads`` are cut off the result, ``output_padding`` is added at its end."""
    axes = weight.dim() - 2
    strides, dilations = spatial(node, "strides", axes), spatial(node, "dilations", axes)
    extra = list(node.get("output_padding") or [0] * axes)
    reaches = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True)]
    pads = _cut(node, x, strides, reaches, extra)
    group = node.get("group", 1)
    transposed = _TRANSPOSED[axes]
    if is_symmetric(pads) and all(e < max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)):
        return transposed(x, weight, bias, strides, [before for before, _ in pads], extra, group, dilations)
    whole = transposed(x, weight, None, strides, 0, 0, group, dilations)
    cut = padded(whole, [(-before, e - after) for (before, after), e in zip(pads, extra, strict=True)])
    return cut if bias is None else cut + bias.reshape(-1, *[1] * axes)


def _cut(
    node: Node, x: Tensor, strides: list[int], reaches: list[int], extra: list[int]
) -> list[tuple[Any, Any]]:
    """Pixels cut off before and after, given or worked out of the size the result is to have."""
    axes, auto = len(strides), node.get("auto_pad", "NOTSET")
    wanted = node.get("output_shape")
    if wanted is None and auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [extent * stride for extent, stride in zip(x.shape[2:], strides, strict=True)]
    if wanted is None:
        pads = [0] * (2 * axes) if auto == "VALID" else node.get("pads") or [0] * (2 * axes)
        return list(zip(pads[:axes], pads[axes:], strict=True))
    cut = []
    for axis, extent in enumerate(x.shape[2:]):
        total = strides[axis] * (extent - 1) + extra[axis] + reaches[axis] - list(wanted)[-axes:][axis]
        half = total // 2
        cut.append((half, total - half) if auto == "SAME_UPPER" else (total - half, half))
    return cut


def _refused_deformable(node: Node) -> str:
    pads = node.get("pads") or [0, 0, 0, 0]
    return "" if pads[:2] == pads[2:] else "its pads are not the same on both sides"


@operator("DeformConv", refusal=_refused_deformable)
def deform_conv(
    node: Node,
    x: Tensor,
    weight: Tensor,
    offset: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """A convolution whose kernel is moved by ``offset`` at each pixel."""
    from torchvision.ops import deform_conv2d

    pads = node.get("pads") or [0, 0, 0, 0]
    strides, dilations = spatial(node, "strides", 2), spatial(node, "dilations", 2)
    return deform_conv2d(
        x,
        offset,
        weight,
        bias,
        (strides[0], strides[1]),
        (pads[0], pads[1]),
        (dilations[0], dilations[1]),
        mask,
    )
