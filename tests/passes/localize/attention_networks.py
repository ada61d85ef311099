"""Transposed attention as networks write it, each with the same weights under the same names."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = 4
HEADS = 2


class TransposedAttention(nn.Module):
    """Multi-Dconv head transposed attention (Restormer, CVPR 2022, section 3.1)."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Conv2d(CHANNELS, 3 * CHANNELS, 1)
        self.temperature = nn.Parameter(torch.rand(HEADS, 1, 1) * 3)

    def heads(self, x: Tensor) -> tuple[Tensor, ...]:
        """q, k, v as [N, heads, c, HW]."""
        return tuple(part.unflatten(1, (HEADS, -1)).flatten(3) for part in self.qkv(x).chunk(3, 1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.heads(x)
        q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        attention = ((q @ k.transpose(-2, -1)) * self.temperature).softmax(dim=-1)
        return (attention @ v).reshape(x.shape)


class TokenAttention(TransposedAttention):
    """Tokens first, keys before queries (RetinexFormer, ICCV 2023, section 3.3)."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        tokens = self.qkv(x).permute(0, 2, 3, 1).reshape(batch, height * width, 3 * channels)
        q, k, v = (
            part.reshape(batch, -1, HEADS, channels // HEADS).transpose(1, 2) for part in tokens.chunk(3, 2)
        )
        q, k, v = (part.transpose(-2, -1) for part in (q, k, v))
        q, k = functional.normalize(q, dim=-1, p=2), functional.normalize(k, dim=-1, p=2)
        attention = (k @ q.transpose(-2, -1)) * self.temperature
        y = (attention.softmax(dim=-1) @ v).permute(0, 3, 1, 2)
        return y.reshape(batch, height, width, channels).permute(0, 3, 1, 2)


class NormsWrittenOut(TransposedAttention):
    """A norm as the root of a sum of squares, as legacy exports to ONNX have it; one expanded, one by powers."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.heads(x)
        q = q / (q * q).sum(-1, keepdim=True).sqrt().clamp_min(1e-12).expand_as(q)
        k = k / (k**2).sum(-1, keepdim=True).pow(0.5).clamp(min=1e-12)
        attention = ((q @ k.transpose(-2, -1)) * self.temperature).softmax(dim=-1)
        return (attention @ v).reshape(x.shape)


class ScaledAttention(TransposedAttention):
    """Without normalisation, scaled by a number and divided by a temperature."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.heads(x)
        scores = q @ k.transpose(-2, -1) * 0.05 / (self.temperature + 1)
        return (scores.softmax(dim=-1) @ v).reshape(x.shape)


class ValuesFromTheLeft(TransposedAttention):
    """The attention matrix transposed, multiplied to the values from the right; rectified."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.heads(x)
        q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        attention = (q @ k.transpose(-2, -1)).relu()
        return (v.transpose(-2, -1) @ attention.transpose(-2, -1)).transpose(-2, -1).reshape(x.shape)


class SoftmaxOverRows(TransposedAttention):
    """Softmax over what the values contract, which here are the rows."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.heads(x)
        attention = (k @ q.transpose(-2, -1)).mul(0.1).softmax(dim=-2)
        return (attention.transpose(-2, -1) @ v).reshape(x.shape)


class GridAttention(TransposedAttention):
    """The pixels of each phase of a 2 x 2 grid among themselves (Omni-SR, CVPR 2023, section 3.2)."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            rearrange(part, "n (m c) (h i) (w j) -> n (i j) m c (h w)", m=HEADS, i=2, j=2)
            for part in self.qkv(x).chunk(3, 1)
        )
        q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        attention = ((q @ k.transpose(-2, -1)) * self.temperature).softmax(dim=-1)
        return rearrange(
            attention @ v, "n (i j) m c (h w) -> n (m c) (h i) (w j)", h=x.shape[2] // 2, i=2, j=2
        )


ATTENTION_NETWORKS: tuple[type[TransposedAttention], ...] = (
    TransposedAttention, TokenAttention, NormsWrittenOut, ScaledAttention, ValuesFromTheLeft, SoftmaxOverRows,
)  # fmt: skip
