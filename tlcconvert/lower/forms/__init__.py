"""How each ``tlc::`` operator is written in standard ONNX operators, one file per operator.

So are PyTorch's own pools and resizes, which the exporter writes for the sizes of the example (adaptive pools), with
coordinates of its own (resizes by a factor), without one of their arguments (``divisor_override``) or with sums as
long as the map (means).

``LOOPLESS`` and ``IN_LOOPS`` are for ``torch.onnx.export(program, dynamo=True, custom_translation_table=...)``,
the second for runtimes that run Scan and Loop well. The functions use operators of opset 18 whose meaning has not
changed up to opset 24, and take float32.
"""

from collections.abc import Callable
from typing import Any

import torch

import passes.operators  # noqa: F401  (registers torch.ops.tlc)
from tlcconvert.lower.forms.adaptive_pool import ADAPTIVE_POOLS
from tlcconvert.lower.forms.average_pool import average_pool
from tlcconvert.lower.forms.axis_by_axis import AXIS_BY_AXIS
from tlcconvert.lower.forms.grid_mean import grid_mean
from tlcconvert.lower.forms.grid_normalize import grid_normalize
from tlcconvert.lower.forms.grid_spread import grid_spread
from tlcconvert.lower.forms.grid_variance import grid_variance
from tlcconvert.lower.forms.local_max import local_max
from tlcconvert.lower.forms.local_mean import local_mean
from tlcconvert.lower.forms.local_normalize import local_normalize
from tlcconvert.lower.forms.local_softmax_mean import local_softmax_mean
from tlcconvert.lower.forms.local_variance import local_variance
from tlcconvert.lower.forms.loops.slabs import in_slabs, norm_in_slabs
from tlcconvert.lower.forms.loops.spread_product import spread_product_in_slabs
from tlcconvert.lower.forms.loops.window_attention import window_attention_by_cells
from tlcconvert.lower.forms.nearest import nearest
from tlcconvert.lower.forms.replicate import replicate
from tlcconvert.lower.forms.replicated_product import replicated_product
from tlcconvert.lower.forms.resize import RESIZES
from tlcconvert.lower.forms.spread_product import spread_product
from tlcconvert.lower.forms.window_attention import window_attention

Translations = dict[Callable[..., Any], Callable[..., Any]]

LOOPLESS: Translations = {
    torch.ops.tlc.grid_mean.default: grid_mean,
    torch.ops.tlc.grid_normalize.default: grid_normalize,
    torch.ops.tlc.grid_spread.default: grid_spread,
    torch.ops.tlc.grid_variance.default: grid_variance,
    torch.ops.tlc.local_max.default: local_max,
    torch.ops.tlc.local_mean.default: local_mean,
    torch.ops.tlc.local_normalize.default: local_normalize,
    torch.ops.tlc.local_softmax_mean.default: local_softmax_mean,
    torch.ops.tlc.local_variance.default: local_variance,
    torch.ops.tlc.nearest.default: nearest,
    torch.ops.tlc.replicate.default: replicate,
    torch.ops.tlc.replicated_product.default: replicated_product,
    torch.ops.tlc.spread_product.default: spread_product,
    torch.ops.tlc.window_attention.default: window_attention,
    torch.ops.aten.avg_pool2d.default: average_pool,
    **ADAPTIVE_POOLS,
    **AXIS_BY_AXIS,
    **RESIZES,
}

IN_LOOPS: Translations = LOOPLESS | {
    torch.ops.tlc.grid_normalize.default: norm_in_slabs(grid_normalize),
    torch.ops.tlc.grid_variance.default: in_slabs(grid_variance),
    torch.ops.tlc.local_max.default: in_slabs(local_max),
    torch.ops.tlc.local_mean.default: in_slabs(local_mean),
    torch.ops.tlc.local_normalize.default: norm_in_slabs(local_normalize),
    torch.ops.tlc.local_variance.default: in_slabs(local_variance),
    torch.ops.tlc.replicated_product.default: in_slabs(replicated_product),
    torch.ops.tlc.spread_product.default: spread_product_in_slabs,
    torch.ops.tlc.window_attention.default: window_attention_by_cells,
}
