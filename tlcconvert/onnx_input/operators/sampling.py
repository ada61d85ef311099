"""Sampling at places that the network computes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node

_MODES = {"linear": "bilinear", "cubic": "bicubic"}


@operator("GridSample")
def grid_sample(node: Node, x: Tensor, grid: Tensor) -> Tensor:
    """``x`` at the places of ``grid``, which counts from -1 to 1 along each axis."""
    mode = node.get("mode", "linear")
    return F.grid_sample(
        x,
        grid,
        mode=_MODES.get(mode, mode),
        padding_mode=node.get("padding_mode", "zeros"),
        align_corners=bool(node.get("align_corners", 0)),
    )


@operator("AffineGrid", sizes=(1,))
def affine_grid(node: Node, theta: Tensor, extents: object) -> Tensor:
    """The grid that moves an image of ``extents`` by the matrix ``theta``."""
    return F.affine_grid(theta, node.ints("", extents), bool(node.get("align_corners", 0)))  # type: ignore[arg-type]
