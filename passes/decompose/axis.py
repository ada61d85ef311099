"""One axis of a map, written in ATen: its size, runs of it, and the numbers along it.

What is written here and in the decompositions runs on tensors and sizes as it does on the proxies that stand for
them in a graph. A size is never compared with a number, so one graph serves all sizes.
"""

from __future__ import annotations

import torch
from torch import Tensor

aten = torch.ops.aten

ROWS, COLUMNS = 2, 3
_CPU = torch.device("cpu")


def size(x: Tensor, axis: int) -> int:
    """Elements along ``axis``."""
    return aten.sym_size.int(x, axis)


def smaller(a: int, b: int) -> int:
    return torch.sym_min(a, b)  # type: ignore[return-value]


def larger(a: int, b: int) -> int:
    return torch.sym_max(a, b)  # type: ignore[return-value]


def covered(x: Tensor, axis: int, window: int) -> int:
    """k = min(window, size of ``axis``)."""
    return smaller(size(x, axis), window)


def run(x: Tensor, axis: int, start: int, length: int) -> Tensor:
    """Elements start, start+1, ... start+length-1 of ``axis``."""
    return aten.slice.Tensor(x, axis, start, start + length)


def numbers(count: int) -> Tensor:
    """0, 1, ... count-1 as int64 [count].

    The device is spelled out: ``torch.export.passes.move_to_device_pass`` replaces what it finds spelled out.
    """
    return aten.arange.default(count, device=_CPU)


def to(x: Tensor, dtype: torch.dtype) -> Tensor:
    return aten._to_copy.default(x, dtype=dtype)
