"""The FSRCNN branch: features at low resolution, upscaled by one transposed convolution.

Source: Dong, Loy, Tang, "Accelerating the Super-Resolution Convolutional Neural Network", ECCV 2016,
arXiv 1608.00367; parameter names are those ClassSR publishes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

PUBLISHED_SCALE = 4
_KERNEL = 9


class FSRCNN(nn.Module):
    """``width`` features, squeezed to ``squeezed`` for ``mappings`` 3x3 convolutions.

    The transposed convolution is 9x9; the published padding of 3 (output padding 1) at scale 4 becomes what makes
    the output exactly ``scale`` times the input.
    """

    def __init__(
        self,
        *,
        colors: int = 3,
        width: int = 56,
        squeezed: int = 12,
        mappings: int = 4,
        scale: int = PUBLISHED_SCALE,
    ) -> None:
        super().__init__()
        self.head_conv = nn.Sequential(nn.Conv2d(colors, width, 5, padding=2), nn.PReLU())
        self.body_conv = nn.Sequential(
            nn.Sequential(nn.Conv2d(width, squeezed, 1), nn.PReLU()),
            *(nn.Conv2d(squeezed, squeezed, 3, padding=1) for _ in range(mappings)),
            nn.PReLU(),
            nn.Sequential(nn.Conv2d(squeezed, width, 1), nn.PReLU()),
        )
        self.scale = scale
        extra = 1 - scale % 2
        self.tail_conv = nn.ConvTranspose2d(
            width,
            colors,
            _KERNEL,
            stride=scale,
            padding=(_KERNEL + extra - scale) // 2,
            output_padding=extra,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, colors, H, W] -> [N, colors, scale * H, scale * W]."""
        return self.tail_conv(self.body_conv(self.head_conv(x)))


def fsrcnn_of(state: Mapping[str, Tensor], scale: int = PUBLISHED_SCALE) -> FSRCNN:
    """An FSRCNN of the widths in ``state``, which does not hold the scale."""
    width, colors = state["head_conv.0.weight"].shape[:2]
    squeezed = state["body_conv.0.0.weight"].shape[0]
    # Between the squeezing and the expanding layer: the mappings, then one PReLU, whose weight has one axis.
    mappings = sum(
        name.startswith("body_conv.") and tensor.shape[2:] == (3, 3) for name, tensor in state.items()
    )
    return FSRCNN(colors=colors, width=width, squeezed=squeezed, mappings=mappings, scale=scale)
