"""Reductions take axes away; the others stay. Part of an axis that is left over is a coarser map."""

from __future__ import annotations

from collections.abc import Sequence

import sympy
import torch

from passes.sizes import shape_expressions
from passes.window_domain.descent.digits import Axes
from passes.window_domain.descent.operation import Operation, Result, Rule


def reduce(operation: Operation) -> Result:
    arguments = operation.arguments
    axes = operation.axes(operation.node.args[0])
    if "dim" not in arguments:
        if "other" in arguments:
            return operation.combined([axes, operation.axes(arguments["other"])])
        return ()
    dims = arguments["dim"]
    reduced = _dims(dims, len(axes))
    keeps = arguments.get("keepdim", False)
    left = tuple(
        () if index in reduced else digits
        for index, digits in enumerate(axes)
        if keeps or index not in reduced
    )
    values = operation.node.meta["val"]
    return left if isinstance(values, torch.Tensor) else [left for _ in values]


def compare_vectors(operation: Operation) -> Result:
    """The angle between vectors along an axis of two tensors."""
    arguments = operation.arguments
    axes = [operation.axes(arguments[name]) for name in ("x1", "x2")]
    dim = arguments["dim"] % max(map(len, axes))
    return tuple(each for index, each in enumerate(_broadcast(operation, axes)) if index != dim)


def _broadcast(operation: Operation, axes: Sequence[Axes]) -> Axes:
    shapes = [shape_expressions(operation.arguments[name]) for name in ("x1", "x2")]
    rank = max(map(len, shapes))
    padded = [(sympy.Integer(1),) * (rank - len(shape)) + shape for shape in shapes]
    together = [b if a == 1 else a for a, b in zip(*padded, strict=True)]
    return operation.combined(axes, together)


def _dims(dims: int | Sequence[int] | None, rank: int) -> set[int]:
    if dims is None or dims == []:
        return set(range(rank))
    if not rank:
        return set()
    return {dim % rank for dim in ([dims] if isinstance(dims, int) else dims)}


_REDUCED = (
    "mean", "sum", "nansum", "amax", "amin", "max", "min", "argmax", "argmin", "aminmax", "var", "std", "var_mean",
    "std_mean", "norm", "linalg_vector_norm", "logsumexp", "prod", "median", "nanmedian", "kthvalue", "mode", "any",
    "all", "quantile", "nanmean", "count_nonzero",
)  # fmt: skip

RULES: dict[str, Rule] = {
    **dict.fromkeys(_REDUCED, reduce),
    "cosine_similarity": compare_vectors,
}
