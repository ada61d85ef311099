"""Shape arithmetic as arrays of whole numbers, symbols and exact quotients.

ONNX has the shape of a tensor as a tensor of int64, which an export of PyTorch would take for data. Here it is a
NumPy array of Python objects: indexing, joining and reshaping come with NumPy, and symbols stay symbols.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tlcconvert.onnx_input.values.quotient import Quotient


@dataclass(frozen=True)
class Sizes:
    """An array of sizes and the type they have in the file.

    Attributes:
        array: of ``int``, ``SymInt``, ``bool``, ``SymBool``; where ``dtype`` is floating, ``float`` and ``Quotient``.
        dtype: of the tensor it stands for.
    """

    array: np.ndarray[Any, Any]
    dtype: torch.dtype = torch.int64

    @property
    def items(self) -> list[Any]:
        """In row-major order."""
        return list(self.array.reshape(-1))

    @property
    def ints(self) -> list[Any]:
        """The items as whole numbers and symbols.

        Raises:
            ValueError: one is not whole.
        """
        if self.dtype.is_floating_point:
            raise ValueError("a size is no whole number")
        return self.items


def sizes(values: Iterable[Any], dtype: torch.dtype = torch.int64) -> Sizes:
    """A vector of ``values``."""
    listed = list(values)
    return Sizes(array_of(listed, (len(listed),)), dtype)


def array_of(items: list[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """``items`` in row-major order; NumPy must not look into them."""
    array = np.empty(len(items), dtype=object)
    for place, item in enumerate(items):
        array[place] = item
    return array.reshape(shape)


def sizes_of(tensor: Tensor) -> Sizes:
    """The values of ``tensor``, which must be known: while a network is exported only those of constants are."""
    return Sizes(array_of(tensor.reshape(-1).tolist(), tuple(tensor.shape)), tensor.dtype)


def tensor_of(value: Sizes) -> Tensor:
    """``value`` as the tensor it stands for."""
    items = value.items
    if not any(isinstance(item, (torch.SymInt, torch.SymBool, Quotient)) for item in items):
        return torch.tensor(items, dtype=value.dtype).reshape(value.array.shape)
    return torch.stack([_scalar(item, value.dtype) for item in items]).reshape(value.array.shape)


def _scalar(item: Any, dtype: torch.dtype) -> Tensor:
    if isinstance(item, Quotient):
        return _scalar(item.numerator, dtype) / _scalar(item.denominator, dtype)
    return torch.scalar_tensor(
        torch.sym_ite(item, 1, 0) if isinstance(item, torch.SymBool) else item, dtype=dtype
    )
