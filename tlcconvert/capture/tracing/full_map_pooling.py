"""Pools whose kernel is the whole feature map, in a form the exporter keeps symbolic.

    avg_pool2d(x, (H, W))    ->    mean(x, (H, W))
    max_pool2d(x, (H, W))    ->    amax(x, (H, W))

``torch.export`` takes the kernel of a pool for a constant and would fix the size of the image to the example's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tlcconvert.capture.tracing.same_size import same_size
from tlcconvert.process_state.replaced_functions import Rule


def _over_the_map(reduce: Callable[..., Tensor]) -> Rule:
    def pooled(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        covers = _covers_the_map(input, *args, **kwargs)
        return reduce(input, (-2, -1), keepdim=True) if covers else NotImplemented

    return pooled


SYMBOLIC_FULL_MAP_POOLING: dict[Callable[..., Any], Rule] = {
    functional.avg_pool2d: _over_the_map(Tensor.mean),
    functional.max_pool2d: _over_the_map(Tensor.amax),
    torch.max_pool2d: _over_the_map(Tensor.amax),
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
    return all(same_size(size, extent) for size, extent in pairs)
