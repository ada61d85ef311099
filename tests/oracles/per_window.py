"""Values that are one per image in the network and one per window here.

A :class:`Value` is not computed until it is known over which windows: those around every pixel, or the strided
ones of a transposed attention. What the network computes from it (a gate, a softmax, a norm of it) is recorded and
then run by ``torch.vmap`` with the windows as the hidden batch: what was done per image is done per window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from tests.oracles.pixel_axes import Layout
from tests.oracles.windows import Windows, around_pixels, nearest, of_attention


class CannotRun(Exception):
    """The oracle does not know what the network does here."""


@dataclass(frozen=True)
class Domain:
    """A feature map and the window its statistics are taken over."""

    height: int
    width: int
    window: tuple[int, int]

    def windows(self, strided: bool) -> Windows:
        return (of_attention if strided else around_pixels)(self.height, self.width, self.window)


class Value:
    """One tensor of ``shape`` per window, computed on demand as ``[windows, *shape]``.

    Attributes:
        domain: the map whose windows these are.
        sites: numbers of the statistics it is computed from.
    """

    def __init__(
        self, domain: Domain, sites: frozenset[int], compute: Callable[[bool], tuple[Tensor, ...]]
    ) -> None:
        self.domain = domain
        self.sites = sites
        self._compute = compute
        self._known: dict[bool, tuple[Tensor, ...]] = {}

    def at(self, strided: bool) -> tuple[Tensor, ...]:
        if strided not in self._known:
            self._known[strided] = self._compute(strided)
        return self._known[strided]


class StandIn(Tensor):
    """A tensor that has a shape and no elements of its own."""

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch types it as a static function
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise CannotRun(f"{func} reads the elements of a {cls.__name__}")


class PerWindow(StandIn):
    """What the network sees of a value: a tensor of the shape it has for the whole image."""

    value: Value
    part: int

    @staticmethod
    def __new__(cls, value: Value, part: int, shape: tuple[int, ...]) -> PerWindow:
        made = Tensor._make_wrapper_subclass(cls, shape, dtype=torch.float64)
        made.value, made.part = value, part
        return made

    def at(self, strided: bool) -> Tensor:
        return self.value.at(strided)[self.part]

    def on(self, domain: Domain, strided: bool) -> Tensor:
        """The values at the windows of another map: the nearest."""
        own = self.value.domain
        if (own.height, own.width) == (domain.height, domain.width):
            return self.at(strided)
        if strided:
            raise CannotRun("a statistic of another map inside an attention")
        return self.over_map(domain.height, domain.width).flatten(0, 1)

    def over_map(self, height: int, width: int) -> Tensor:
        """``[height, width, *shape]``: the value of the window around each pixel."""
        own = self.value.domain
        return nearest(self.at(strided=False).unflatten(0, (own.height, own.width)), (height, width))

    def spread(self, layout: Layout, rank: int) -> Tensor | None:
        """As a tensor of ``rank`` axes that has the map of ``layout``; None where it has extents there."""
        shape = (1,) * (rank - self.dim()) + tuple(self.shape)
        if len(shape) != rank or any(shape[axis] != 1 for axis in layout.axes):
            return None
        values = self.over_map(layout.height, layout.width).movedim((0, 1), (-2, -1))
        values = values.reshape(*shape, layout.height, layout.width)
        for axis in sorted(layout.axes, reverse=True):
            values = values.select(axis, 0)
        return layout.from_map_last(values)


def derived(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What ``function`` makes of values and constants, for each window."""
    given, structure = tree_flatten((args, kwargs))
    operands = [x for x in given if isinstance(x, PerWindow)]
    sites = frozenset[int]().union(*(x.value.sites for x in operands))
    domain = max((x.value.domain for x in operands), key=lambda own: own.height * own.width)

    def compute(strided: bool) -> tuple[Tensor, ...]:
        local = [in_window(x, domain) for x in given]

        def once(*values: Tensor) -> Any:
            arriving = iter(values)
            filled = [next(arriving) if isinstance(x, PerWindow) else x for x in local]
            own_args, own_kwargs = tree_unflatten(filled, structure)
            return tuple(tree_flatten(function(*own_args, **own_kwargs))[0])

        return torch.vmap(once)(*(x.on(domain, strided).clone() for x in operands))

    def empty(x: Any) -> Any:
        return torch.zeros(x.shape, dtype=torch.float64) if isinstance(x, PerWindow) else x

    example = function(*tree_map(empty, args), **tree_map(empty, kwargs))
    parts, form = tree_flatten(example)
    if not all(isinstance(part, Tensor) for part in parts):
        raise CannotRun(f"{function} makes no tensor of a statistic")
    value = Value(domain, sites, compute)
    made = [PerWindow(value, part, tuple(tensor.shape)) for part, tensor in enumerate(parts)]
    return tree_unflatten(made, form)


class _OfExtents:
    """A number computed from the height and width of a map; ``local`` tells what it is in a window of that map."""

    local: Callable[[Domain], Any]


class IntOfExtents(_OfExtents, int):
    pass


class FloatOfExtents(_OfExtents, float):
    pass


def number(value: float, local: Callable[[Domain], Any]) -> Any:
    made = IntOfExtents(value) if isinstance(value, int) else FloatOfExtents(value)
    made.local = local
    return made


def in_window(x: Any, domain: Domain) -> Any:
    return x.local(domain) if isinstance(x, _OfExtents) else x


def extent(letter: str, size: int) -> Any:
    """An extent of a map; in a window of a map of that extent it is the window's."""

    def local(domain: Domain) -> int:
        rows, columns = min(domain.height, domain.window[0]), min(domain.width, domain.window[1])
        own = {"H": (domain.height, rows), "W": (domain.width, columns)}
        own["HW"] = (domain.height * domain.width, rows * columns)
        return own[letter][1] if own[letter][0] == size else size

    return number(size, local)


def _lifted(name: str) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        plain = int if isinstance(self, int) else float
        value = getattr(plain, name)(plain(self), other)
        if value is NotImplemented:
            widened = getattr(float, name, None)
            value = NotImplemented if widened is None else widened(float(self), other)
        if value is NotImplemented or not isinstance(value, (int, float)):
            return value

        def local(domain: Domain) -> Any:
            own, others = self.local(domain), in_window(other, domain)
            result = getattr(type(own), name)(own, others)
            return getattr(float, name)(float(own), others) if result is NotImplemented else result

        return number(value, local)

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "pow", "mod"):
    for _method in (f"__{_name}__", f"__r{_name}__"):
        for _kind in (IntOfExtents, FloatOfExtents):
            setattr(_kind, _method, _lifted(_method))
