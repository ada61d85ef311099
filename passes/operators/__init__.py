"""The ``tlc::`` operators; importing this package registers them with torch.

Each file is one operator: an eager kernel, the reference an exported file is checked against, and a fake
kernel, which gives its shape for symbolic sizes. Their ONNX forms are in ``tlcconvert/lowering``.
"""

from passes.operators import (
    grid_mean,
    grid_normalize,
    grid_spread,
    grid_variance,
    local_max,
    local_mean,
    local_normalize,
    local_softmax_mean,
    local_variance,
    nearest,
    replicate,
    replicated_product,
    spread_product,
    window_attention,
)

__all__ = [
    "grid_mean",
    "grid_normalize",
    "grid_spread",
    "grid_variance",
    "local_max",
    "local_mean",
    "local_normalize",
    "local_softmax_mean",
    "local_variance",
    "nearest",
    "replicate",
    "replicated_product",
    "spread_product",
    "window_attention",
]
