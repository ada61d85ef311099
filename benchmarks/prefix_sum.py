"""Local statistics as published: 2-D prefix sums, four lookups, replicate padding, in place of global pooling.

    P[i, j] = x[:i, :j].sum()        box[i, j] = P[i+k, j+k] - P[i, j+k] - P[i+k, j] + P[i, j]

Written from Chu et al., "Improving Image Restoration by Revisiting Global Information Aggregation" (TLC),
arXiv:2112.04491, section 3.2, equations 6 to 8. It is what a user would export without tlcconvert.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

Window = tuple[int, int]


def prefix_sum_mean(x: torch.Tensor, window: Window) -> torch.Tensor:
    """Means [N, C, H, W] over windows of at most ``window`` pixels of x [N, C, H, W], in the dtype of x."""
    height, width = x.shape[-2:]
    rows: Any = torch.sym_min(window[0], height)
    columns: Any = torch.sym_min(window[1], width)
    prefix = F.pad(x.cumsum(-1).cumsum(-2), (1, 0, 1, 0))
    lower, upper = prefix[:, :, rows:], prefix[:, :, : height + 1 - rows]
    box = lower[..., columns:] - upper[..., columns:] - lower[..., : width + 1 - columns]
    mean: torch.Tensor = (box + upper[..., : width + 1 - columns]) / (rows * columns)
    top, left = (rows - 1) // 2, (columns - 1) // 2
    padding = (left, columns - 1 - left, top, rows - 1 - top)
    return F.pad(mean, padding, mode="replicate")


class PrefixSumPool(nn.Module):
    """In place of ``AdaptiveAvgPool2d(1)``."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return prefix_sum_mean(x, self.window)


class PrefixSumInstanceNorm(nn.Module):
    """In place of ``InstanceNorm2d``, with the variance as mean of squares less square of the mean."""

    def __init__(self, norm: nn.InstanceNorm2d, window: Window) -> None:
        super().__init__()
        self.norm = norm
        self.window = window

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = prefix_sum_mean(x, self.window)
        variance = prefix_sum_mean(x * x, self.window) - mean * mean
        y = (x - mean) / torch.sqrt(variance + self.norm.eps)
        return y * self.norm.weight.view(1, -1, 1, 1) + self.norm.bias.view(1, -1, 1, 1)


def make_local(network: nn.Module, channels: int, train_size: int | tuple[int, int]) -> None:
    """Replaces every global pooling and instance norm of ``network``, in place.

    A window is 1.5 times the feature map of a crop of ``train_size`` pixels (height, width or both).
    """
    sizes: dict[str, Window] = {}

    def record(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            height, width = inputs[0].shape[-2:]
            sizes[name] = (height * 3 // 2, width * 3 // 2)

        return hook

    statistics = {name: module for name, module in network.named_modules() if _is_global(module)}
    hooks = [module.register_forward_pre_hook(record(name)) for name, module in statistics.items()]
    with torch.no_grad():
        size = (train_size, train_size) if isinstance(train_size, int) else train_size
        network(torch.zeros(1, channels, *size))
    for hook in hooks:
        hook.remove()
    for name, module in statistics.items():
        is_norm = isinstance(module, nn.InstanceNorm2d)
        network.set_submodule(
            name, PrefixSumInstanceNorm(module, sizes[name]) if is_norm else PrefixSumPool(sizes[name])
        )


def _is_global(module: nn.Module) -> bool:
    is_pool = isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1))
    return is_pool or isinstance(module, nn.InstanceNorm2d)
