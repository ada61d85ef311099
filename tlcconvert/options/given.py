"""Fields of a dataclass that take more than they keep: 256 for (256, 256), a list for a tuple."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, cast, overload

G = TypeVar("G")
K = TypeVar("K")


class Given(Generic[G, K]):
    """A field that is given as a ``G`` and read as a ``K``.

    ``size: Given[int | Pair, Pair] = Given(1, as_pair)`` in a dataclass: its constructor takes an ``int`` or a pair,
    its attribute is a pair, at run time and for type checkers (`descriptor-typed fields
    <https://docs.python.org/3/library/dataclasses.html#descriptor-typed-fields>`_).

    Args:
        default: as a caller would give it.
        keep: from what is given to what is kept; takes what it returns, too.
    """

    def __init__(self, default: G, keep: Callable[[G], K]) -> None:
        self._default = default
        self._keep = keep
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> G: ...

    @overload
    def __get__(self, instance: object, owner: type) -> K: ...

    def __get__(self, instance: object | None, owner: type) -> G | K:
        if instance is None:  # a dataclass asks its class for defaults
            return self._default
        return cast("K", vars(instance)[self._name])

    def __set__(self, instance: object, value: G) -> None:
        # Not through the instance, which may be frozen.
        vars(instance)[self._name] = self._keep(value)
