"""Scaled dot-product attention as one operator."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node

_ATTRIBUTES = {"is_causal", "kv_num_heads", "q_num_heads", "scale", "softcap", "qk_matmul_output_mode"}


def _refused(node: Node) -> str:
    if any(node.inputs[4:]):
        return "past keys and lengths of sequences are not computed"
    if node.get("softcap", 0.0):
        return "softcap is not computed"
    if node.get("softmax_precision") is not None:
        return "softmax_precision is not computed"
    unknown = sorted(
        set(node.attributes)
        - {"is_causal", "kv_num_heads", "q_num_heads", "scale", "softcap", "qk_matmul_output_mode"}
    )
    return f"{', '.join(unknown)} is not computed" if unknown else ""


@operator("Attention", refusal=_refused)
def attention(node: Node, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """``softmax(scale * q k^T + mask) v`` of [N, heads, L, E], or of [N, L, heads * E] with numbers of heads."""
    heads = node.get("q_num_heads")
    if q.dim() == 3:
        q = _with_heads(q, heads)
        k, v = (_with_heads(x, node.get("kv_num_heads")) for x in (k, v))
    if mask is not None and mask.dim() == 3:
        mask = mask.unsqueeze(1) if mask.shape[0] == q.shape[0] and mask.shape[0] != q.shape[1] else mask
    repeated = q.shape[1] // k.shape[1]
    if repeated != 1:
        k, v = k.repeat_interleave(repeated, 1), v.repeat_interleave(repeated, 1)
    mask = _causal(q, k, mask) if node.get("is_causal", 0) else mask
    attended = F.scaled_dot_product_attention(
        q, k, v, mask, scale=node.get("scale", 1 / math.sqrt(q.shape[-1]))
    )
    return attended.transpose(1, 2).flatten(2) if node.get("q_num_heads") else attended


def _with_heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _causal(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    seen = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    if mask is None:
        return seen
    return mask & seen if mask.dtype == torch.bool else mask.masked_fill(~seen, -math.inf)
