"""``tlc::replicated_product``: a map times an interior that is replicated to its size.

replicated_product(x, interior) = x * replicate(interior, H, W)
"""

from __future__ import annotations

import torch

from passes.operators.replicate import replicate


@torch.library.custom_op("tlc::replicated_product", mutates_args=())
def replicated_product(x: torch.Tensor, interior: torch.Tensor) -> torch.Tensor:
    """x [N, C, H, W] times interior [N, C, h, w] edge-padded to [N, C, H, W]; any dtype.

    Raises:
        ValueError: if the interior is larger than H x W.
    """
    return x * replicate(interior, *x.shape[2:])


@replicated_product.register_fake
def _(x: torch.Tensor, interior: torch.Tensor) -> torch.Tensor:
    return x.new_empty(x.shape)
