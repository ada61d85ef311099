"""Pools whose kernel is the whole feature map, in a form the exporter keeps symbolic.

    avg_pool2d(x, (H, W))    ->    mean(x, (H, W))
    max_pool2d(x, (H, W))    ->    amax(x, (H, W))

``torch.export`` takes the kernel of a pool for a constant and would fix the size of the image to the example's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class SymbolicFullMapPooling(TorchFunctionMode):
    """While active, replaces such pools as they are called; every other call passes unchanged."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        reduce = _REDUCTIONS.get(func)
        if reduce is not None and _covers_the_map(*args, **kwargs):
            image = args[0] if args else kwargs["input"]
            return reduce(image)
        return func(*args, **kwargs)


def _mean(image: Tensor) -> Tensor:
    return image.mean((-2, -1), keepdim=True)


def _maximum(image: Tensor) -> Tensor:
    return image.amax((-2, -1), keepdim=True)


_REDUCTIONS: dict[Callable[..., Any], Callable[[Tensor], Tensor]] = {
    functional.avg_pool2d: _mean,
    functional.max_pool2d: _maximum,
    torch.max_pool2d: _maximum,
}


def _covers_the_map(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    *args: Any,
    divisor_override: int | None = None,
    dilation: Any = 1,
    return_indices: bool = False,
    **kwargs: Any,
) -> bool:
    """Whether the kernel is symbolic and equal to the map, with nothing else that matters."""
    kernel = tuple(kernel_size) if isinstance(kernel_size, (tuple, list, torch.Size)) else (kernel_size,) * 2
    is_symbolic = any(isinstance(size, torch.SymInt) for size in kernel)
    is_plain = not args and padding in (0, (0, 0), [0, 0]) and dilation in (1, (1, 1), [1, 1])
    if not is_symbolic or not is_plain or divisor_override is not None or return_indices:
        return False
    pairs = zip(kernel, input.shape[-2:], strict=True)
    return all(_expression(size) == _expression(extent) for size, extent in pairs)


def _expression(size: Any) -> Any:
    return size.node.expr if isinstance(size, torch.SymInt) else size
