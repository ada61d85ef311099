"""Statistics over windows of sums of products ``coefficient[window] * map[pixel]``.

A map of pixels is one such sum. So is a map minus its own mean, or times a gate, in which the coefficients are one
value per window: its mean over a window is taken with that window's coefficients, as on a crop, however the
coefficients of the neighbours differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tests.oracles.per_window import PerWindow, derived
from tests.oracles.pixel_axes import Layout
from tests.oracles.windows import Windows, log_sum_exp_over, maximum_over, mean_over


class Map:
    """A tensor of pixels as it was when it was used, whatever is written into it later."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self._origin = tensor
        self.key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor._version)

    def keep(self) -> None:
        self.tensor = self.tensor.clone()


@dataclass(frozen=True)
class Term:
    """``coefficient * map``; a coefficient of None is 1, and so is a map of None."""

    coefficient: PerWindow | Tensor | float | None
    map: Map | None


@dataclass(frozen=True)
class Reduction:
    """Over which axes of a tensor of ``shape`` a statistic is taken, the axes of its map among them."""

    shape: tuple[int, ...]
    layout: Layout
    dims: tuple[int, ...]
    keepdim: bool

    @property
    def rest(self) -> list[int]:
        return [dim + 1 for dim in self.dims if dim not in self.layout.axes]

    def count(self, windows: Windows) -> int:
        others = [self.shape[dim - 1] for dim in self.rest]
        return windows.height * windows.width * int(torch.tensor(others).prod() if others else 1)

    def over_rest(self, reduce: Callable[..., Tensor], x: Tensor) -> Tensor:
        """Reduces what is left but windows, ``[windows, *shape with 1 for the map]``."""
        return reduce(x, self.rest, keepdim=True) if self.rest else x

    def done(self, x: Tensor) -> Tensor:
        if self.keepdim:
            return x
        kept = [size for axis, size in enumerate(x.shape[1:]) if axis not in self.dims]
        return x.reshape(len(x), *kept)

    def result_shape(self) -> tuple[int, ...]:
        kept = [1 if axis in self.dims else size for axis, size in enumerate(self.shape)]
        return tuple(size for axis, size in enumerate(kept) if self.keepdim or axis not in self.dims)


def per_window(x: Tensor, layout: Layout) -> Tensor:
    """``[other axes, tops, lefts]`` to ``[windows, *axes with 1 for the map]``."""
    x = x.movedim((-2, -1), (0, 1)).flatten(0, 1)
    for axis in sorted(layout.axes):
        x = x.unsqueeze(axis + 1)
    return x


def coefficient_at(coefficient: Any, strided: bool, rank: int) -> Any:
    """Broadcastable to ``[windows, *axes]``."""
    if coefficient is None:
        return 1.0
    if isinstance(coefficient, PerWindow):
        values = coefficient.at(strided)
        return values.reshape(len(values), *(1,) * (rank + 1 - values.dim()), *values.shape[1:])
    if isinstance(coefficient, Tensor):
        return coefficient.reshape((1,) * (rank + 1 - coefficient.dim()) + tuple(coefficient.shape))
    return coefficient


def mean(terms: Sequence[Term], over: Reduction, windows: Windows, strided: bool) -> Tensor:
    """``[windows, *shape with 1 for the map]``: over the pixels alone."""
    rank = len(over.shape)
    shape = [1 if axis in over.layout.axes else size for axis, size in enumerate(over.shape)]
    total = torch.zeros(len(windows), *shape, dtype=torch.float64)
    for term in terms:
        own: Tensor | float = 1.0
        if term.map is not None:
            own = per_window(mean_over(over.layout.map_last(term.map.tensor), windows), over.layout)
        total = total + coefficient_at(term.coefficient, strided, rank) * own
    return total


def variance(terms: Sequence[Term], over: Reduction, windows: Windows, strided: bool) -> Tensor:
    """Biased, over all axes of ``over``, which are kept."""
    if len(terms) == 1 and terms[0].coefficient is None and terms[0].map is not None:
        pixels = terms[0].map.tensor
        terms = [Term(None, Map(pixels - pixels.mean(over.dims, keepdim=True)))]
    first = over.over_rest(torch.mean, mean(terms, over, windows, strided))
    second = over.over_rest(torch.mean, mean(products(terms, terms), over, windows, strided))
    return (second - first * first).clamp_min(0)


def maximum(terms: Sequence[Term], over: Reduction, windows: Windows, strided: bool) -> Tensor:
    """Of one map plus values of the window; ``[windows, *shape with 1 for the map]``."""
    return _of_shifted_map(maximum_over, terms, over, windows, strided)


def log_sum_exp(terms: Sequence[Term], over: Reduction, windows: Windows, strided: bool) -> Tensor:
    """Of one map plus values of the window; ``[windows, *shape with 1 for the map]``."""
    return _of_shifted_map(log_sum_exp_over, terms, over, windows, strided)


def _of_shifted_map(
    statistic: Callable[[Tensor, Windows], Tensor],
    terms: Sequence[Term],
    over: Reduction,
    windows: Windows,
    strided: bool,
) -> Tensor:
    (own,) = [term for term in terms if term.map is not None]
    assert own.map is not None
    value = per_window(statistic(over.layout.map_last(own.map.tensor), windows), over.layout)
    for term in terms:
        if term.map is None:
            value = value + coefficient_at(term.coefficient, strided, len(over.shape))
    return value


def products(left: Sequence[Term], right: Sequence[Term]) -> list[Term]:
    return [Term(times(a.coefficient, b.coefficient), _product(a.map, b.map)) for a in left for b in right]


def times(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, PerWindow) or isinstance(b, PerWindow):
        return derived(torch.mul, (a, b), {})
    return a * b


def _product(a: Map | None, b: Map | None) -> Map | None:
    if a is None or b is None:
        return b if a is None else a
    return Map(a.tensor * b.tensor)
