"""The converted program in ATen alone: what ``torch.export.load`` and AOTInductor read without this package.

    Given    y = tlc::local_mean(x, 96, 96)
    Result   k = sym_min(H, 96);  ...;  y = cumsum(cat(sum(x[:k]), x[k:] - x[:-k])) / (kh * kw)

Each ``tlc::`` operator is replaced by the nodes its decomposition emits, right for every batch, height and width:
nothing compares a size with a number, so nothing is true for the example only. Equal nodes are shared, and every
value's fake shape is computed anew from an example larger than its windows (:mod:`passes.decompose.fresh_sizes`).
"""

from __future__ import annotations

from passes.decompose.program import DECOMPOSITIONS, decompose

__all__ = ["DECOMPOSITIONS", "decompose"]
