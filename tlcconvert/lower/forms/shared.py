"""Values that several operators of one graph need, computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from onnxscript import ir

T = TypeVar("T")


def shared(like: ir.Value, key: Hashable, make: Callable[[], T]) -> T:
    """``make()`` the first time ``key`` is asked for in the graph of ``like``, and the same again after that.

    The exporter appends nodes in order, so what an earlier operator made stands before every later one.
    """
    if like.graph is None:
        return make()
    made = like.graph.meta.setdefault("tlc", {})
    if key not in made:
        made[key] = make()
    return cast(T, made[key])


def size_name(x: ir.Value, axis: int) -> Hashable:
    """Equal for axes of equal length in one graph; a size the exporter left unnamed equals only itself."""
    assert x.shape is not None
    size = x.shape[axis]
    return size if isinstance(size, int) else size.value or (x, axis)
