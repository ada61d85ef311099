"""Which statistic a call is, over which axes, and how it is taken over windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tests.oracles import statistics_of_windows
from tests.oracles.pixel_axes import Layout
from tests.oracles.statistics_of_windows import Map, Reduction, Term, times

REDUCTIONS = {
    "mean", "sum", "amax", "amin", "max", "min", "var", "std", "var_mean", "std_mean", "norm", "vector_norm",
    "linalg_vector_norm", "logsumexp",
}  # fmt: skip
_POOLS = {
    "adaptive_avg_pool1d": ("mean", 1), "adaptive_avg_pool2d": ("mean", 2),
    "adaptive_max_pool1d": ("amax", 1), "adaptive_max_pool2d": ("amax", 2),
}  # fmt: skip


def reduction_of(
    name: str, x: Any, layout: Layout | None, rest: Sequence[Any], named: dict[str, Any]
) -> tuple[str, tuple[int, ...], bool, dict[str, Any]] | None:
    """Kind, axes, whether they are kept, and options; None where this is no reduction over given axes."""
    rank = x.dim()
    if name in _POOLS:
        kind, count = _POOLS[name]
        size = named.get("output_size", rest[0] if rest else None)
        if size not in (1, (1,) * count, [1] * count):
            return None
        if layout is None or layout.axes != tuple(range(rank - count, rank)):
            return None
        return kind, layout.axes, True, {}
    if name == "avg_pool2d" and layout is not None and layout.axes == (rank - 2, rank - 1):
        kernel: Any = named.get("kernel_size", rest[0] if rest else None)
        pair = (kernel, kernel) if isinstance(kernel, int) else tuple(kernel)
        strided = [*rest[1:], *(value for key, value in named.items() if key != "kernel_size")]
        is_extent = all(hasattr(own, "local") for own in pair)
        if (
            is_extent
            and pair == (layout.height, layout.width)
            and all(option in (None, 1, 0, (0, 0)) for option in strided)
        ):
            return "mean", layout.axes, True, {}
        return None
    if name not in REDUCTIONS:
        return None
    parameters = ("p", "dim", "keepdim") if "norm" in name else ("dim", "keepdim")
    if name in ("var", "std", "var_mean", "std_mean") and len(rest) > 1:
        parameters = ("dim", "unbiased", "keepdim")
    bound = dict(zip(parameters, rest, strict=False)) | named
    if name in ("vector_norm", "linalg_vector_norm"):
        bound["p"] = bound.get("ord", bound.get("p", 2))
    dim = bound.get("dim", bound.get("axis"))
    if dim is None or isinstance(dim, (Tensor, bool)):
        return None
    dims = tuple(sorted({d % rank for d in ([dim] if isinstance(dim, int) else dim)}))
    if not dims:
        return None
    options: dict[str, Any] = {key: bound[key] for key in ("correction", "unbiased", "p") if key in bound}
    kind = "norm" if "norm" in name else name
    return kind, dims, bool(bound.get("keepdim", False)), options


def norm_of(
    name: str, x: Tensor, layout: Layout, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Reduction, Any, Any, float] | None:
    """The statistics of a norm over all pixels: over which axes of ``x`` seen in its groups."""
    rank = x.dim()
    if name == "layer_norm":
        bound = dict(zip(("input", "normalized_shape", "weight", "bias", "eps"), args, strict=False)) | kwargs
        count = len(bound["normalized_shape"])
        dims = tuple(range(rank - count, rank))
        if not set(layout.axes) <= set(dims) or 0 in dims or bound.get("weight") is not None:
            return None
        return Reduction(tuple(x.shape), layout, dims, True), None, None, bound.get("eps", 1e-5)
    if layout.axes != tuple(range(2, rank)):
        return None
    if name == "instance_norm":
        order = (
            "input",
            "running_mean",
            "running_var",
            "weight",
            "bias",
            "use_input_stats",
            "momentum",
            "eps",
        )
        bound = dict(zip(order, args, strict=False)) | kwargs
        if not bound.get("use_input_stats", True):
            return None
        over = Reduction(tuple(x.shape), layout, layout.axes, True)
        return over, bound.get("weight"), bound.get("bias"), bound.get("eps", 1e-5)
    bound = dict(zip(("input", "num_groups", "weight", "bias", "eps"), args, strict=False)) | kwargs
    shape = (x.shape[0], bound["num_groups"], x.shape[1] // bound["num_groups"], *x.shape[2:])
    own = Layout(tuple(axis + 1 for axis in layout.axes), layout.height, layout.width)
    over = Reduction(tuple(shape), own, (2, *own.axes), True)
    return over, bound.get("weight"), bound.get("bias"), bound.get("eps", 1e-5)


def _correction(options: dict[str, Any]) -> float:
    if "correction" in options:
        return 1 if options["correction"] is None else options["correction"]
    return 1 if options.get("unbiased", True) else 0


def _mean(terms: Any, over: Reduction, windows: Any, strided: bool, options: dict[str, Any]) -> Tensor:
    return over.done(over.over_rest(torch.mean, statistics_of_windows.mean(terms, over, windows, strided)))


def _sum(terms: Any, over: Reduction, windows: Any, strided: bool, options: dict[str, Any]) -> Tensor:
    return _mean(terms, over, windows, strided, options) * over.count(windows)


def _maximum(terms: Any, over: Reduction, windows: Any, strided: bool, options: dict[str, Any]) -> Tensor:
    return over.done(over.over_rest(torch.amax, statistics_of_windows.maximum(terms, over, windows, strided)))


def _log_sum_exp(terms: Any, over: Reduction, windows: Any, strided: bool, options: dict[str, Any]) -> Tensor:
    own = statistics_of_windows.log_sum_exp(terms, over, windows, strided)
    return over.done(over.over_rest(torch.logsumexp, own))


def _minimum(terms: Any, over: Reduction, windows: Any, strided: bool, options: dict[str, Any]) -> Tensor:
    negated = [
        Term(None, Map(-term.map.tensor))
        if term.map is not None
        else Term(times(-1.0, term.coefficient), None)
        for term in terms
    ]
    return -_maximum(negated, over, windows, strided, options)


def _variance(terms: Any, over: Reduction, windows: Any, strided: bool, options: dict[str, Any]) -> Tensor:
    count = over.count(windows)
    biased = statistics_of_windows.variance(terms, over, windows, strided)
    return over.done(biased) * (count / (count - _correction(options)))


def _with_mean(spread: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    return lambda *given: (spread(*given), _mean(*given))


def _deviation(*given: Any) -> Tensor:
    return _variance(*given).sqrt()


def _norm(terms: Any, over: Reduction, windows: Any, strided: bool, options: dict[str, Any]) -> Tensor:
    p = options.get("p", 2)
    p = 2 if p in ("fro", None) else p
    size = terms[0].map.tensor.abs()
    if p == math.inf:
        return _maximum([Term(None, Map(size))], over, windows, strided, options)
    return _sum([Term(None, Map(size**p))], over, windows, strided, options) ** (1 / p)


COMPUTE: dict[str, Callable[..., Any]] = {
    "mean": _mean,
    "sum": _sum,
    "amax": _maximum,
    "max": _maximum,
    "amin": _minimum,
    "min": _minimum,
    "logsumexp": _log_sum_exp,
    "var": _variance,
    "std": _deviation,
    "var_mean": _with_mean(_variance),
    "std_mean": _with_mean(_deviation),
    "norm": _norm,
}
