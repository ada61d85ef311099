"""Operators that lose no more in float16 than the rounding of their result, by what they do with their operands.

What is in no table is computed in float32: means and sums, norms, softmax, exponentials and logarithms, powers and
roots, resizes, the statistics of ``tlc::``, and every operator nobody has looked at.
"""

from __future__ import annotations

import operator
from typing import Any

import torch

import passes.operators  # noqa: F401  registers tlc::replicate and its relatives
from passes.statistics import OPERATORS

aten, tlc = torch.ops.aten, torch.ops.tlc

PRODUCTS: frozenset[Any] = frozenset(
    {
        aten.addmm.default,
        aten.baddbmm.default,
        aten.bmm.default,
        aten.conv1d.default,
        aten.conv2d.default,
        aten.conv_transpose2d.input,
        aten.convolution.default,
        aten.linear.default,
        aten.matmul.default,
        aten.mm.default,
    }
)
"""Sums of products, which runtimes add up in float32 whatever the type of their operands."""

POINTWISE: frozenset[Any] = frozenset(
    {
        aten.abs.default,
        aten.add.Scalar,
        aten.add.Tensor,
        aten.clamp.default,
        aten.clamp_max.default,
        aten.clamp_min.default,
        aten.div.Scalar,
        aten.div.Tensor,
        aten.elu.default,
        aten.erf.default,
        aten.gelu.default,
        aten.hardsigmoid.default,
        aten.hardswish.default,
        aten.hardtanh.default,
        aten.leaky_relu.default,
        aten.maximum.default,
        aten.minimum.default,
        aten.mul.Scalar,
        aten.mul.Tensor,
        aten.neg.default,
        aten._prelu_kernel.default,
        aten.prelu.default,
        aten.relu.default,
        aten.relu6.default,
        aten.rsub.Scalar,
        aten.rsub.Tensor,
        aten.sigmoid.default,
        aten.silu.default,
        aten.sub.Scalar,
        aten.sub.Tensor,
        aten.tanh.default,
        aten.where.self,
        tlc.replicated_product.default,
    }
)

MOVES: frozenset[Any] = frozenset(
    {
        operator.getitem,
        aten.alias.default,
        aten.cat.default,
        aten.chunk.default,
        aten.clone.default,
        aten.constant_pad_nd.default,
        aten.contiguous.default,
        aten.detach.default,
        aten.dropout.default,
        aten.expand.default,
        aten.flatten.using_ints,
        aten.flip.default,
        aten.index_select.default,
        aten.max_pool2d.default,
        aten.permute.default,
        aten.pixel_shuffle.default,
        aten.pixel_unshuffle.default,
        aten.reflection_pad2d.default,
        aten.repeat.default,
        aten.replication_pad2d.default,
        aten.reshape.default,
        aten.roll.default,
        aten.select.int,
        aten.slice.Tensor,
        aten.split.Tensor,
        aten.split_with_sizes.default,
        aten.squeeze.default,
        aten.squeeze.dim,
        aten.squeeze.dims,
        aten.stack.default,
        aten.t.default,
        aten.transpose.int,
        aten.unbind.int,
        aten.unflatten.int,
        aten.unsqueeze.default,
        aten._unsafe_view.default,
        aten.view.default,
        tlc.nearest.default,
        tlc.replicate.default,
    }
)
"""Every element of the result is one of an operand, or a constant."""

OF_DEVIATIONS: frozenset[Any] = frozenset(
    {
        aten.group_norm.default,
        aten.instance_norm.default,
        aten.native_group_norm.default,
        aten.std.correction,
        aten.std.dim,
        aten.std_mean.correction,
        aten.std_mean.dim,
        aten.var.correction,
        aten.var.dim,
        aten.var_mean.correction,
        aten.var_mean.dim,
        tlc.grid_normalize.default,
        tlc.grid_variance.default,
        tlc.local_normalize.default,
        tlc.local_variance.default,
    }
)
"""Statistics of how far pixels are from their mean."""

MEANS: frozenset[Any] = frozenset({aten.mean.dim, *(row.overload for row in OPERATORS if row.is_average)})

DIFFERENCES: frozenset[Any] = frozenset({aten.sub.Tensor, aten.rsub.Tensor})

QUOTIENTS: frozenset[Any] = frozenset({aten.div.Tensor})

TO_PIXELS: frozenset[Any] = frozenset({tlc.grid_spread.default, tlc.nearest.default, tlc.replicate.default})
