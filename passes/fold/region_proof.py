"""Float64 proof that a region of the graph equals the convolution about to replace it, border included.

The region itself is executed, operation by operation, with exact constants on random images of at least two
sizes, one of them as small as the region allows. Sizes that appear in the graph as numbers are evaluated from
their symbolic expressions. A value from outside the region is drawn at random: a region that used it would
fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from passes.fold.affine_form import NotAffineError
from passes.fold.emitted_convolution import EmittedConvolution
from passes.simplify.exact_constants import ExactConstants, run_in_float64
from passes.sizes import expression

_ALLOWED = 1e-10
_BATCH = 2
_LENGTHS = (*range(1, 18), 20, 24, 31, 32, 40, 48, 64, 65, 96, 128, 192, 256)


@dataclass(frozen=True)
class RegionProof:
    """What was measured.

    Attributes:
        error: largest difference relative to the largest value of the region, in float64.
        sizes: (height, width) of the root images it was measured on.
    """

    error: float
    sizes: tuple[tuple[int, int], ...]


def prove(
    root: fx.Node, last: fx.Node, region: list[fx.Node], constants: ExactConstants, kernel: EmittedConvolution
) -> RegionProof:
    """Runs ``region``, which computes ``last`` from ``root``, against ``kernel``.

    Raises:
        NotAffineError: they differ, or the region runs at fewer than two sizes although its size is free.
    """
    generator = torch.Generator().manual_seed(0)
    enough = [kernel.dilation[i] * (kernel.weight.shape[2 + i] - 1) + 3 * kernel.stride[i] for i in range(2)]
    error = 0.0
    sizes: list[tuple[int, int]] = []
    for symbols, size in _sizes(root):
        if sizes and min(size[i] - enough[i] for i in range(2)) < 0:
            continue
        image = torch.randn(_image_shape(root, symbols), generator=generator, dtype=torch.float64)
        try:
            expected = _Execution(root, image, region, constants, symbols, generator).value(last)
        except (RuntimeError, IndexError, TypeError, ValueError):
            continue
        error = max(error, _difference(expected, kernel, image))
        sizes.append(size)
        if len(sizes) == 2:
            break
    if len(sizes) == 2 or (sizes and not _extent_symbols(root)):
        return RegionProof(error, tuple(sizes))
    raise NotAffineError("it could not be run at two sizes to prove it")


def _difference(expected: torch.Tensor, kernel: EmittedConvolution, image: torch.Tensor) -> float:
    try:
        actual = kernel(image)
    except RuntimeError as failure:
        raise NotAffineError(f"the composed convolution does not run on {tuple(image.shape)}") from failure
    if actual.shape != expected.shape:
        raise NotAffineError(
            f"the composed convolution yields {tuple(actual.shape)} for {tuple(expected.shape)}"
        )
    scale = float(expected.abs().max()) or 1.0
    error = float((actual - expected).abs().max()) / scale
    if not error <= _ALLOWED:
        raise NotAffineError(f"the composed convolution differs by {error:.1e} in float64")
    return error


def _sizes(root: fx.Node) -> Iterator[tuple[dict[Any, int], tuple[int, int]]]:
    """Values for the free symbols, and the root's height and width under them, growing."""
    shape = root.meta["val"].shape
    rows, batch = expression(shape[2]).free_symbols, expression(shape[0]).free_symbols
    seen = set()
    for shorter, length in zip((1, *_LENGTHS), _LENGTHS, strict=False):
        symbols = {symbol: length if symbol in rows else shorter for symbol in _extent_symbols(root)}
        symbols |= dict.fromkeys(batch, _BATCH)
        size = (_evaluated(shape[2], symbols), _evaluated(shape[3], symbols))
        if min(size) >= 1 and size not in seen:
            seen.add(size)
            yield symbols, size


def _extent_symbols(root: fx.Node) -> set[Any]:
    height, width = root.meta["val"].shape[2:]
    return expression(height).free_symbols | expression(width).free_symbols


def _image_shape(root: fx.Node, symbols: dict[Any, int]) -> list[int]:
    return [_evaluated(size, symbols) for size in root.meta["val"].shape]


def _evaluated(size: object, symbols: dict[Any, int]) -> int:
    return int(expression(size).xreplace(symbols))


class _Execution:
    """One run of a region on one image; values are computed on demand and kept."""

    def __init__(
        self,
        root: fx.Node,
        image: torch.Tensor,
        region: list[fx.Node],
        constants: ExactConstants,
        symbols: dict[Any, int],
        generator: torch.Generator,
    ) -> None:
        self._known: dict[fx.Node, Any] = {root: image}
        self._region = set(region)
        self._constants = constants
        self._symbols = symbols
        self._generator = generator
        for node in region:
            self.value(node)

    def value(self, node: fx.Node) -> Any:
        if node not in self._known:
            self._known[node] = self._computed(node)
        return self._known[node]

    def _computed(self, node: fx.Node) -> Any:
        if node in self._constants.nodes:
            return self._constants.exact(node)
        recorded = node.meta["val"]
        if not isinstance(recorded, (torch.Tensor, tuple, list)):
            return _evaluated(recorded, self._symbols)
        reads_tensors = any(
            isinstance(source.meta["val"], torch.Tensor) and source not in self._constants.nodes
            for source in node.all_input_nodes
        )
        if node in self._region or (node.op == "call_function" and not reads_tensors):
            return run_in_float64(
                node, fx.map_arg(node.args, self.value), fx.map_arg(node.kwargs, self.value)
            )
        assert isinstance(recorded, torch.Tensor)
        shape = [_evaluated(size, self._symbols) for size in recorded.shape]
        return torch.randn(shape, generator=self._generator, dtype=torch.float64)
