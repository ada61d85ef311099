"""Whether an operator is composite: written in others, which decide whether its result shares memory.

Stands on torch 2.14.1, ``torch._C._dispatch_has_kernel_for_dispatch_key``, which ``torch/_ops.py`` asks the same in
lines 938 to 963.
"""

from __future__ import annotations

import torch

from passes.torch_internals.names import OpOverload


def is_composite(target: OpOverload) -> bool:
    """Whether ``run_decompositions({})`` would take ``target`` apart where it may alias or write."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(target.name(), "CompositeImplicitAutograd")
