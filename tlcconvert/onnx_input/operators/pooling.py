"""Pools over windows and over the whole map."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tlcconvert.onnx_input.operators.borders import is_symmetric, padded, pads_of, spatial
from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node

_MAX: dict[int, Any] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE: dict[int, Any] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _space(x: Tensor) -> list[int]:
    return list(range(2, x.dim()))


@operator("GlobalAveragePool")
def global_average_pool(node: Node, x: Tensor) -> Tensor:
    """The mean over space, which keeps its axes."""
    return x.mean(_space(x), keepdim=True)


@operator("GlobalMaxPool")
def global_max_pool(node: Node, x: Tensor) -> Tensor:
    """The maximum over space, which keeps its axes."""
    return x.amax(_space(x), keepdim=True)


def _is_dilated(node: Node) -> str:
    return "its windows are dilated" if any(d != 1 for d in node.get("dilations") or []) else ""


def _has_same_and_ceil(node: Node) -> str:
    auto = node.get("auto_pad", "NOTSET") not in ("NOTSET", "")
    return "ceil_mode with auto_pad is not computed" if auto and node.get("ceil_mode", 0) else ""


def _refused_max(node: Node) -> str:
    if node.get("storage_order", 0):
        return "places of maxima in column-major order are not computed"
    pads = node.get("pads") or []
    half = len(pads) // 2
    if node.has_output(1) and (pads[:half] != pads[half:] or node.get("auto_pad", "NOTSET") != "NOTSET"):
        return "places of maxima with pads that differ are not computed"
    return _has_same_and_ceil(node)


def _refused_average(node: Node) -> str:
    return _is_dilated(node) or _has_same_and_ceil(node)


@operator("MaxPool", outputs=2, refusal=_refused_max)
def max_pool(node: Node, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
    """The maximum of each window, and on request its place in the whole tensor."""
    kernel = list(node.get("kernel_shape"))
    axes = len(kernel)
    strides, dilations = spatial(node, "strides", axes), spatial(node, "dilations", axes)
    pads = pads_of(node, x, kernel)
    fits = is_symmetric(pads) and all(2 * before <= k for (before, _), k in zip(pads, kernel, strict=True))
    padding = [before for before, _ in pads] if fits else 0
    least = -math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
    source = x if fits else padded(x, pads, least)
    ceil = bool(node.get("ceil_mode", 0))
    if not node.has_output(1):
        return _MAX[axes](source, kernel, strides, padding, dilations, ceil)
    found, places = _MAX[axes](source, kernel, strides, padding, dilations, ceil, return_indices=True)
    planes = torch.arange(x.shape[0] * x.shape[1]).reshape(x.shape[0], x.shape[1], *[1] * axes)
    return found, places + planes * math.prod(x.shape[2:])


@operator("AveragePool", refusal=_refused_average)
def average_pool(node: Node, x: Tensor) -> Tensor:
    """The mean of each window; what is padded counts with ``count_include_pad`` alone."""
    kernel = list(node.get("kernel_shape"))
    axes = len(kernel)
    strides, pads = spatial(node, "strides", axes), pads_of(node, x, kernel)
    ceil, counts = bool(node.get("ceil_mode", 0)), bool(node.get("count_include_pad", 0))
    pool = _AVERAGE[axes]
    if is_symmetric(pads) and all(2 * before <= k for (before, _), k in zip(pads, kernel, strict=True)):
        return pool(x, kernel, strides, [before for before, _ in pads], ceil, counts)
    if counts:
        return pool(padded(x, pads), kernel, strides, 0, ceil, True)
    inside = padded(torch.ones_like(x[:1, :1]), pads)
    means = pool(padded(x, pads), kernel, strides, 0, ceil, True)
    return means / pool(inside, kernel, strides, 0, ceil, True)


def _refused_lp(node: Node) -> str:
    return _is_dilated(node) or ("ceil_mode is not computed" if node.get("ceil_mode", 0) else "")


@operator("LpPool", refusal=_refused_lp)
def lp_pool(node: Node, x: Tensor) -> Tensor:
    """``sum(|x| ** p) ** (1 / p)`` of each window."""
    kernel, p = list(node.get("kernel_shape")), node.get("p", 2)
    axes = len(kernel)
    source = padded(x.abs() ** p, pads_of(node, x, kernel))
    means = _AVERAGE[axes](source, kernel, spatial(node, "strides", axes), 0, False, True)
    return (means * math.prod(kernel)) ** (1 / p)


@operator("GlobalLpPool")
def global_lp_pool(node: Node, x: Tensor) -> Tensor:
    """``sum(|x| ** p) ** (1 / p)`` over space."""
    p = node.get("p", 2)
    return (x.abs() ** p).sum(_space(x), keepdim=True) ** (1 / p)
