"""Reads and assignments of ``tensor.data``, in a form the exporter follows.

    tensor.data            ->    tensor.detach()
    tensor.data = value    ->    tensor.copy_(value)

Networks that merge their branches on every call (SPAN) compute a kernel from ``weight.data`` and assign it to the
``weight.data`` of another layer. ``torch.export`` does not record either, and crashes on the second.
"""

from __future__ import annotations

from torch import Tensor


def _assign(tensor: Tensor, value: Tensor) -> None:
    """
    Raises:
        RuntimeError: an assignment of another shape than the tensor's.
    """
    if tensor.shape != value.shape:
        raise RuntimeError(
            f"a tensor of shape {list(value.shape)} is assigned to the data of one of {list(tensor.shape)}"
        )
    tensor.copy_(value)


TRACED_DATA_ATTRIBUTE = {
    Tensor.data.__get__: lambda tensor, *_: tensor.detach(),  # type: ignore[attr-defined]
    Tensor.data.__set__: _assign,  # type: ignore[attr-defined]
}
