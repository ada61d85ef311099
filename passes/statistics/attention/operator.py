"""``tlc::window_attention``: transposed (channel) self-attention, attended in local windows.

    query [N, heads*c_q, H, W] --+
    key   [N, heads*c_k, H, W] --+-- window_attention --> [N, heads*c_q, H, W]
    value [N, heads*c_k, H, W] --+

In one window of P pixels, per image and head, with q [c_q, P], k [c_k, P], v [c_k, P]:

    scores = q k^T * scale * temperature          q, k first L2-normalised over the P pixels if ``normalize``
    out    = activation(scores) v                 softmax acts over c_k

Windows start every ``step`` pixels, the last one ends with the image, and a pixel covered by several windows
gets the mean of their outputs. One window, where the map is no larger than it, is the global attention.

All three maps are features ``[N, C, H, W]`` whose channels are grouped by head, head outermost, as the
convolutions around them make and use them: the operator stands for the attention's reshapes as well.

Sources: Restormer (Zamir et al., CVPR 2022, section 3.1) for the attention; Improving Image Restoration by
Revisiting Global Information Aggregation (Chu et al., ECCV 2022, section 3) for the windows.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

ACTIVATIONS = ("softmax", "relu", "identity")


def window_starts(length: int, window: int) -> list[int]:
    """First pixels of the windows along an axis of ``length`` pixels, in ascending order.

    ``ceil(length / window)`` windows, evenly stepped, the last one moved back to end with the axis; a window
    longer than the axis is cut to it. Every pixel is covered once or twice.
    """
    window = min(length, window)
    count = -(-length // window)
    if count == 1:
        return [0]
    step = -(-(length - window) // (count - 1))
    return [min(i * step, length - window) for i in range(count)]


@torch.library.custom_op("tlc::window_attention", mutates_args=())
def window_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    temperature: Tensor | None,
    heads: int,
    window_height: int,
    window_width: int,
    normalize: bool = True,
    eps: float = 1e-12,
    scale: float = 1.0,
    activation: str = "softmax",
) -> Tensor:
    """Transposed attention in windows of ``window_height`` x ``window_width`` pixels.

    Args:
        query: ``[N, heads*c_q, H, W]``; half precision is computed in float32.
        key: ``[N, heads*c_k, H, W]``.
        value: ``[N, heads*c_k, H, W]``.
        temperature: multiplies the scores; broadcastable to ``[N, heads, c_q, c_k]``, or None for 1.
        heads: number of heads the channels are divided into.
        window_height: pixels; cut to H if larger.
        window_width: pixels; cut to W if larger.
        normalize: divide each channel of query and key by its L2 norm over the window's pixels.
        eps: smallest norm divided by.
        scale: multiplies the scores.
        activation: ``"softmax"`` over c_k, ``"relu"`` or ``"identity"``.

    Returns:
        ``[N, heads*c_q, H, W]`` in the dtype of ``value``.

    Raises:
        ValueError: the shapes, ``heads``, the window or ``activation`` do not fit this contract.
    """
    _check(query, key, value, heads, window_height, window_width, activation)
    batch, _, height, width = query.shape
    wide = torch.promote_types(value.dtype, torch.float32)
    q, k, v = (x.unflatten(1, (heads, -1)).to(wide) for x in (query, key, value))
    factor = scale if temperature is None else scale * temperature.to(wide)
    window_height, window_width = min(height, window_height), min(width, window_width)
    rows, columns = window_starts(height, window_height), window_starts(width, window_width)
    total = torch.zeros_like(q, memory_format=torch.contiguous_format)
    count = total.new_zeros(height, width)
    for top, left in product(rows, columns):
        window = (..., slice(top, top + window_height), slice(left, left + window_width))
        a, b, c = (x[window].flatten(-2) for x in (q, k, v))
        attended = _attention(a, b, c, factor, normalize, eps, activation)
        total[window] += attended.unflatten(-1, (window_height, window_width))
        count[window] += 1
    return (total / count).reshape(batch, -1, height, width).to(value.dtype)


def _attention(
    q: Tensor, k: Tensor, v: Tensor, factor: Tensor | float, normalize: bool, eps: float, activation: str
) -> Tensor:
    """The global attention of one window, ``[..., c, P]``."""
    if normalize:
        q = torch.nn.functional.normalize(q, dim=-1, eps=eps)
        k = torch.nn.functional.normalize(k, dim=-1, eps=eps)
    scores = q @ k.mT * factor
    if activation == "softmax":
        scores = scores.softmax(-1)
    elif activation == "relu":
        scores = scores.relu()
    return scores @ v


@window_attention.register_fake
def _(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    temperature: Tensor | None,
    heads: int,
    window_height: int,
    window_width: int,
    normalize: bool = True,
    eps: float = 1e-12,
    scale: float = 1.0,
    activation: str = "softmax",
) -> Tensor:
    _check(query, key, value, heads, window_height, window_width, activation)
    return value.new_empty(query.shape)


def _check(
    query: Tensor, key: Tensor, value: Tensor, heads: int, height: int, width: int, activation: str
) -> None:
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation is {activation!r}, not one of {', '.join(ACTIVATIONS)}")
    if height < 1 or width < 1:
        raise ValueError(f"the window is {height}x{width} pixels")
    if not query.ndim == key.ndim == value.ndim == 4:
        raise ValueError("query, key and value are not all [N, C, H, W]")
    if key.shape != value.shape or query.shape[2:] != key.shape[2:] or query.shape[0] != key.shape[0]:
        shapes = ", ".join(str(tuple(x.shape)) for x in (query, key, value))
        raise ValueError(f"query, key and value do not fit together: {shapes}")
    if heads < 1 or query.shape[1] % heads or key.shape[1] % heads:
        raise ValueError(f"{query.shape[1]} and {key.shape[1]} channels do not divide into {heads} heads")
