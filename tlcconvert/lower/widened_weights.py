"""A weight in float16 that is read in float32 stays as small as it is."""

from __future__ import annotations

import onnx_ir as ir


def unless_it_widens_a_weight(node: ir.Node) -> bool | None:
    """For ``should_fold`` of onnxscript's optimiser: False for such a cast; None leaves the choice to it."""
    source = node.inputs[0] if node.op_type == "Cast" else None
    is_weight = source is not None and source.is_initializer() and source.dtype == ir.DataType.FLOAT16
    return False if is_weight else None
