"""Means and sums over several axes, one axis after the other.

    mean of x [N, C, H, W] over H and W   =   mean over H of (mean over W)

onnxruntime adds the pixels of a plane in one go in float32, which at 720x1280 is off by 3e-4 of a mean. Sums along
a row and then along a column are short, and off by 3e-7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from tlcconvert.lower.forms.opset import integers, op

aten = torch.ops.aten


def mean(x: Any, dim: Sequence[int] | None = None, keepdim: bool = False, dtype: int = -1) -> Any:
    """``aten.mean.dim``: over the axes ``dim`` of x, all of them if None."""
    return _reduced(x, op.ReduceMean, dim, keepdim, dtype)


def total(x: Any, dim: Sequence[int] | None = None, keepdim: bool = False, dtype: int = -1) -> Any:
    """``aten.sum.dim_IntList``: over the axes ``dim`` of x, all of them if None."""
    return _reduced(x, op.ReduceSum, dim, keepdim, dtype)


def mean_of_all(x: Any, dtype: int = -1) -> Any:
    """``aten.mean``."""
    return mean(x, dtype=dtype)


def total_of_all(x: Any, dtype: int = -1) -> Any:
    """``aten.sum``."""
    return total(x, dtype=dtype)


def _reduced(
    x: Any, reduce: Callable[..., Any], dim: Sequence[int] | None, keepdim: bool, dtype: int | None
) -> Any:
    if dtype is not None and dtype != -1:
        x = op.Cast(x, to=dtype)
    rank = len(x.shape)
    axes = sorted({axis % rank for axis in dim or range(rank)}) if rank else []
    for axis in reversed(axes):
        x = reduce(x, integers(axis), keepdims=1)
    return x if keepdim or not axes else op.Squeeze(x, integers(*axes))


AXIS_BY_AXIS: dict[Callable[..., Any], Callable[..., Any]] = {
    aten.mean.default: mean_of_all,
    aten.mean.dim: mean,
    aten.sum.default: total_of_all,
    aten.sum.dim_IntList: total,
}
