"""Fourier transforms as products with matrices of cosines and sines, for sizes of any kind.

Given      X = fft(x, axis)                       x [..., n, ...]

Result     X[k] = sum over j of x[j] * (cos(a[j, k]) - i sin(a[j, k])),    a[j, k] = 2 pi (j k mod n) / n

onnxruntime's own transform (``DFT``) loses accuracy where n is no power of two: at 720 pixels it is off by 4e-4 of
the largest value in float32, these products by 4e-6. Most other runtimes have none. j k is reduced modulo n in
whole numbers, to the residue nearest to 0, so the angles are as exact as float32 holds them.

A real transform keeps the frequencies 0 ... n // 2; its inverse counts each of them twice, but 0 and n / 2, which are
their own conjugates. Normalisation (PyTorch's modes): 0 none, 1 by sqrt(n), 2 by n, of all axes together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tlcconvert.torch_internals.run_decompositions import Table

aten = torch.ops.aten

_BY_ROOT, _BY_COUNT = 1, 2


def real_to_complex(x: Tensor, dims: Sequence[int], normalization: int, onesided: bool) -> Tensor:
    """``aten._fft_r2c``: x real, along ``dims``; of the last one, only half the frequencies if ``onesided``."""
    *others, last = dims
    n = x.shape[last]
    count = n // 2 + 1 if onesided else n
    cosines, sines = _matrices(n, n, count, x)
    real, imaginary = _along(x, cosines, last), -_along(x, sines, last)
    for axis in others:
        real, imaginary = _complex_along(real, imaginary, axis, forward=True)
    return torch.complex(*_scaled((real, imaginary), [x.shape[axis] for axis in dims], normalization))


def complex_to_complex(z: Tensor, dims: Sequence[int], normalization: int, forward: bool) -> Tensor:
    """``aten._fft_c2c``: z complex, transformed along ``dims``, or back."""
    real, imaginary = _parts(z)
    for axis in dims:
        real, imaginary = _complex_along(real, imaginary, axis, forward)
    return torch.complex(*_scaled((real, imaginary), [z.shape[axis] for axis in dims], normalization))


def complex_to_real(z: Tensor, dims: Sequence[int], normalization: int, last_dim_size: int) -> Tensor:
    """``aten._fft_c2r``: back along ``dims``, the last one from half the frequencies to ``last_dim_size`` values."""
    *others, last = dims
    real, imaginary = _parts(z)
    for axis in others:
        real, imaginary = _complex_along(real, imaginary, axis, forward=False)
    n = last_dim_size
    cosines, sines = _matrices(n, z.shape[last], n, real)
    frequency = torch.arange(z.shape[last], device=real.device)
    count = torch.full((), n, dtype=torch.int64, device=real.device)
    is_own_conjugate = (frequency == 0) | (2 * frequency == count)
    times = torch.where(is_own_conjugate, 1.0, 2.0).to(real.dtype).unsqueeze(-1)
    x = _along(real, times * cosines, last) - _along(imaginary, times * sines, last)
    (scaled,) = _scaled((x,), [*(z.shape[axis] for axis in others), n], normalization)
    return scaled


FOURIER: Table = {
    aten._fft_r2c.default: real_to_complex,
    aten._fft_c2c.default: complex_to_complex,
    aten._fft_c2r.default: complex_to_real,
}
"""What takes the place of each transform, for :func:`tlcconvert.lower.local_decomposition.decompose`."""


def _parts(z: Tensor) -> tuple[Tensor, Tensor]:
    pairs = torch.view_as_real(z)
    return pairs.select(-1, 0), pairs.select(-1, 1)


def _matrices(n: Any, rows: Any, columns: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin of 2 pi j k / n, [rows, columns] in the dtype of ``like``."""
    # The exporter takes numbers for constants where they are not tensors.
    count = torch.full((), n, dtype=torch.int64, device=like.device)
    half = torch.full((), n // 2, dtype=torch.int64, device=like.device)
    products = torch.arange(rows, device=like.device).unsqueeze(-1) * torch.arange(
        columns, device=like.device
    )
    residues = torch.remainder(products + half, count) - half
    angles = residues.to(like.dtype) / count.to(like.dtype) * (2 * math.pi)
    return angles.cos(), angles.sin()


def _complex_along(real: Tensor, imaginary: Tensor, axis: int, forward: bool) -> tuple[Tensor, Tensor]:
    n = real.shape[axis]
    cosines, sines = _matrices(n, n, n, real)
    if not forward:
        sines = -sines
    return (
        _along(real, cosines, axis) + _along(imaginary, sines, axis),
        _along(imaginary, cosines, axis) - _along(real, sines, axis),
    )


def _along(x: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """x [..., n, ...] times ``matrix`` [n, m] along ``axis``."""
    axis = axis % x.dim()
    if axis == x.dim() - 1:
        return torch.matmul(x, matrix)
    if axis == x.dim() - 2:
        return torch.matmul(matrix.transpose(0, 1), x)
    return torch.matmul(x.transpose(axis, -1), matrix).transpose(axis, -1)


def _scaled(parts: tuple[Tensor, ...], lengths: Sequence[Any], normalization: int) -> tuple[Tensor, ...]:
    if normalization not in (_BY_ROOT, _BY_COUNT):
        return parts
    count: Any = math.prod(lengths)
    divisor = torch.full((), count, dtype=parts[0].dtype, device=parts[0].device)
    if normalization == _BY_ROOT:
        divisor = divisor.sqrt()
    return tuple(part / divisor for part in parts)
