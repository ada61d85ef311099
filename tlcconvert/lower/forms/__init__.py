"""How ``tlc::`` operators are written in standard ONNX operators.

Formulas of statistics (``passes/statistics``) are written in the vocabulary of ``words.py``. Where ONNX has a faster
algorithm of its own, ``OVERRIDES`` and ``LOOPS`` name it.

So are PyTorch's own pools and resizes, which the exporter writes for the sizes of the example (adaptive pools), with
coordinates of its own (resizes by a factor), without one of their arguments (``divisor_override``) or with sums as
long as the map (means).

``PORTABLE`` and ``ON_A_CPU`` are for ``torch.onnx.export(program, dynamo=True, custom_translation_table=...)``,
the second for runtimes that run Scan, Loop, CumSum and float64 well. The functions use operators of opset 18 whose
meaning has not changed up to opset 24, and take float32.
"""

from collections.abc import Callable
from typing import Any

import torch

from passes.statistics import OPERATORS
from tlcconvert.lower.forms.adaptive_pool import ADAPTIVE_POOLS
from tlcconvert.lower.forms.average_pool import average_pool
from tlcconvert.lower.forms.axis_by_axis import AXIS_BY_AXIS
from tlcconvert.lower.forms.loops.slabs import in_slabs
from tlcconvert.lower.forms.loops.spread_product import spread_product_in_slabs
from tlcconvert.lower.forms.loops.window_attention import window_attention_by_cells
from tlcconvert.lower.forms.resize import RESIZES
from tlcconvert.lower.forms.window_attention import window_attention
from tlcconvert.lower.forms.words import in_onnx

Translations = dict[Callable[..., Any], Callable[..., Any]]

OVERRIDES: Translations = {torch.ops.tlc.window_attention.default: window_attention}
"""Operators whose ONNX form is another algorithm than their formula."""

LOOPS: Translations = {
    torch.ops.tlc.spread_product.default: spread_product_in_slabs,
    torch.ops.tlc.window_attention.default: window_attention_by_cells,
}
"""Operators whose loops are more than their formula a few planes at a time."""

PORTABLE: Translations = {
    **{operator.overload: in_onnx(operator.formula) for operator in OPERATORS if operator.formula},
    **OVERRIDES,
    torch.ops.aten.avg_pool2d.default: average_pool,
    **ADAPTIVE_POOLS,
    **AXIS_BY_AXIS,
    **RESIZES,
}

ON_A_CPU: Translations = {
    **PORTABLE,
    **{
        operator.overload: (in_slabs if operator.is_plane_by_plane else in_onnx)(operator.on_a_cpu)
        for operator in OPERATORS
        if operator.on_a_cpu
    },
    **LOOPS,
}
