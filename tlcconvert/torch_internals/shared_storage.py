"""Whether two tensors share memory, told of fake tensors too, which have no address.

Stands on torch 2.14.1, ``torch/storage.py``, ``UntypedStorage._cdata`` (line 51): the address of the storage object.
"""

from __future__ import annotations

from torch import Tensor


def share_storage(first: Tensor, second: Tensor) -> bool:
    """Whether one is a view of the other, or both of a third."""
    return bool(first.untyped_storage()._cdata == second.untyped_storage()._cdata)
