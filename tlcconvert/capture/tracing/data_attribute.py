"""Reads and assignments of ``tensor.data``, in a form the exporter follows.

    tensor.data            ->    tensor.detach()
    tensor.data = value    ->    tensor.copy_(value)

Networks that merge their branches on every call (SPAN) compute a kernel from ``weight.data`` and assign it to the
``weight.data`` of another layer. ``torch.export`` does not record either, and crashes on the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

_READ = Tensor.data.__get__  # type: ignore[attr-defined]
_ASSIGN = Tensor.data.__set__  # type: ignore[attr-defined]


class TracedDataAttribute(TorchFunctionMode):
    """While active, replaces both as they happen; every other call passes unchanged.

    An assignment of another shape than the tensor's raises RuntimeError.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func == _READ:
            return args[0].detach()
        if func != _ASSIGN:
            return func(*args, **(kwargs or {}))
        tensor, value = args
        if tensor.shape != value.shape:
            raise RuntimeError(
                f"a tensor of shape {list(value.shape)} is assigned to the data of one of {list(tensor.shape)}"
            )
        tensor.copy_(value)
        return None
