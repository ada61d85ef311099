"""A file in float16 against the same network's file in float32, which was compared with PyTorch at all sizes.

A largest error says little where every number is rounded: what is judged is the root mean square of the error, as
PSNR of the output's scale. onnxruntime's CPU runs float16 by casting to float32 and may leave out the casts between
two operations, so the program is run once more with every result rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from tlcconvert.dtype import Dtype
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import magnitude, psnr, root_mean_square
from tlcconvert.verification.compare import Candidate
from tlcconvert.verification.error_histogram import error_histogram
from tlcconvert.verification.images import photograph
from tlcconvert.verification.parity import Comparison, Parity
from tlcconvert.verification.sizes import Size

LEAST_PSNR = 60.0
"""In dB. An image of 8 bits is rounded at 59 dB."""

PHOTOGRAPH = (1, 96, 128)
"""The size the photograph has."""

FILE, ROUNDED = "float16 / float32", "rounded / float32"


def compare_half(
    half: Candidate, rounded: Candidate, full: Candidate, inputs: NetworkInputs, sizes: Sequence[Size]
) -> Parity:
    """``half`` against ``full`` at the photograph, of each size, and ``rounded`` at the first.

    Every error is the root mean square, the note its PSNR.

    Args:
        half, full: the two files; each takes and returns float32.
        rounded: the program in float16, every result rounded; see :class:`Rounded`.
        inputs: what they take.
        sizes: (batch, height, width) in pixels.
    """
    rows = []
    for number, size in enumerate(sizes):
        images = photograph(inputs, *size)
        expected = tensors_of(full(*images))
        for what, candidate in ((FILE, half), (ROUNDED, rounded))[: 1 if number else 2]:
            rows += [
                _row(what, size, own, other)
                for own, other in zip(tensors_of(candidate(*images)), expected, strict=True)
            ]
    return Parity(tuple(rows))


def _row(what: str, size: Size, own: Tensor, other: Tensor) -> Comparison:
    if not other.is_floating_point():
        return Comparison(what, *size, float((own != other).any()), 1.0, 0.0, purpose="a photograph")
    error, scale = root_mean_square(own, other), magnitude(other)
    bound = 10 ** (-LEAST_PSNR / 20)
    note, histogram = f"{psnr(error, scale):.1f} dB", error_histogram(own, other)
    return Comparison(what, *size, error, scale, bound, note, "a photograph", histogram=histogram)


def in_float32(candidate: Candidate, io: Dtype) -> Candidate:
    """``candidate``, which takes and returns ``io``, as one that takes and returns float32."""
    if io is Dtype.FLOAT32:
        return candidate

    def run(*images: Tensor) -> tuple[Tensor, ...]:
        halves = (image.half() if image.is_floating_point() else image for image in images)
        return tuple(
            output.float() if output.is_floating_point() else output
            for output in tensors_of(candidate(*halves))
        )

    return run


class Rounded(fx.Interpreter):
    """Runs a program in float16 as a processor does that adds up in float32: every result is rounded, and no sum."""

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        is_cast = target is torch.ops.aten._to_copy.default
        halves = [value for value in _tensors((args, kwargs)) if value.dtype == torch.float16]
        if is_cast or not halves:
            return super().call_function(target, args, kwargs)
        args, kwargs = (_mapped(each, Tensor.float) for each in (args, kwargs))
        return _mapped(super().call_function(target, args, kwargs), Tensor.half)


def _tensors(values: Any) -> list[Tensor]:
    found: list[Tensor] = []
    fx.node.map_aggregate(values, lambda value: found.append(value) if isinstance(value, Tensor) else None)
    return found


def _mapped(values: Any, convert: Callable[[Tensor], Tensor]) -> Any:
    def converted(value: Any) -> Any:
        is_real = isinstance(value, Tensor) and value.dtype in (torch.float16, torch.float32)
        return convert(value) if is_real else value

    return fx.node.map_aggregate(values, converted)
