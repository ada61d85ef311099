"""What convolutions and pools do at the border: pads given, or worked out of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tlcconvert.onnx_input.values.node import Node

Pads = list[tuple[Any, Any]]
"""Pixels before and after the map, for each axis of space."""


def spatial(node: Node, name: str, axes: int) -> list[int]:
    """``name`` (strides, dilations) for each axis of space, 1 where it is not given."""
    return list(node.get(name) or [1] * axes)


def pads_of(node: Node, x: Tensor, kernel: Sequence[int]) -> Pads:
    """``pads``, or for ``auto_pad`` SAME those for which the output has ceil(input / stride) pixels."""
    axes, auto = len(kernel), node.get("auto_pad", "NOTSET")
    if auto == "VALID":
        return [(0, 0)] * axes
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        strides, dilations = spatial(node, "strides", axes), spatial(node, "dilations", axes)
        totals = [
            _same(extent, reach, stride)
            for extent, reach, stride in zip(x.shape[2:], _reaches(kernel, dilations), strides, strict=True)
        ]
        halves = [total // 2 for total in totals]
        both = [(half, total - half) for half, total in zip(halves, totals, strict=True)]
        return both if auto == "SAME_UPPER" else [(after, before) for before, after in both]
    pads = node.get("pads") or [0] * (2 * axes)
    return list(zip(pads[:axes], pads[axes:], strict=True))


def _reaches(kernel: Sequence[int], dilations: Sequence[int]) -> list[int]:
    return [(extent - 1) * dilation + 1 for extent, dilation in zip(kernel, dilations, strict=True)]


def _same(extent: Any, reach: int, stride: int) -> Any:
    """Pixels to add along an axis."""
    if stride == 1:
        return reach - 1
    return torch.sym_max(((extent + stride - 1) // stride - 1) * stride + reach - extent, 0)


def is_symmetric(pads: Pads) -> bool:
    """Whether PyTorch's layers take these pads: as many pixels before as after, and not negative."""
    return all(
        isinstance(before, int) and isinstance(after, int) and before == after >= 0 for before, after in pads
    )


def padded(x: Tensor, pads: Pads, value: float = 0.0) -> Tensor:
    """``x`` with ``value`` around it."""
    if all(isinstance(pad, int) and pad == 0 for both in pads for pad in both):
        return x
    return F.pad(x, [pad for both in reversed(pads) for pad in both], value=value)
