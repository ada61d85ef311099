"""Fixing every size of a program: what was computed from a shape becomes a number.

Given      x [s0, C, s1, s2] -> ... sym_size(x, 2) -> floordiv(., 2) -> interpolate(y, [.])

Result     x [1, C, 480, 640] -> ... interpolate(y, [240])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common
import torch
from onnxscript import optimizer
from torch import fx
from torch.export import ExportedProgram

from passes.program import fake_mode, refresh, user_inputs
from passes.result import PassResult, Rewrite
from passes.simplify.fold_constants import fold_constants
from tlcconvert.errors import CaptureError
from tlcconvert.lower.empty_parts import drop_empty_parts
from tlcconvert.lower.widened_weights import unless_it_widens_a_weight

_ROUNDS = 10


def fix_sizes(program: ExportedProgram, shapes: Sequence[tuple[int, ...]]) -> PassResult:
    """Gives the inputs of ``program`` the ``shapes``, in place; numbers they decide are written as numbers."""
    mode = fake_mode(program)
    for node, shape in zip(user_inputs(program), shapes, strict=True):
        with mode:
            node.meta["val"] = torch.empty(shape, dtype=node.meta["val"].dtype)
    refresh(program, has_new_sizes=True)
    for node in program.graph.nodes:
        node.args = fx.map_arg(node.args, _number_or_node)
        node.kwargs = fx.map_arg(node.kwargs, _number_or_node)
    refresh(program)
    size = "x".join(map(str, shapes[0][2:]))
    fixed = PassResult((Rewrite("image sizes", "<root>", "every size", size),))
    return fixed + fold_constants(program)


def _number_or_node(node: fx.Node) -> Any:
    value = node.meta.get("val")
    return value if isinstance(value, (int, float, bool)) else node


def without_shape_arithmetic(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model``, whose inputs have fixed sizes, with every number that was computed from a shape written out.

    A number folded makes another shape known, so inference and folding take turns.

    Raises:
        CaptureError: a shape is only known at run time.
    """
    for _ in range(_ROUNDS):
        if not _reads_shapes(model):
            return _without_empty_parts(model)
        inferred = ir.from_proto(onnx.shape_inference.infer_shapes(model, data_prop=True))
        optimizer.fold_constants(inferred, should_fold=unless_it_widens_a_weight)
        clean = ir.passes.Sequential(
            common.RemoveUnusedNodesPass(),
            common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        )
        folded = clean(inferred).model
        for value in folded.graph.initializers.values():
            # What was inferred of a size before it was folded would be believed sooner than the number.
            value.shape = None if value.const_value is None else ir.Shape(value.const_value.shape.numpy())
        model = ir.to_proto(folded)
    raise CaptureError(
        "A size in it is only known at run time, so no file of one size can be made: leave --static out."
    )


def _without_empty_parts(model: onnx.ModelProto) -> onnx.ModelProto:
    inferred = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    drop_empty_parts(inferred.graph)
    return ir.to_proto(common.RemoveUnusedNodesPass()(inferred).model)


def _reads_shapes(model: onnx.ModelProto) -> bool:
    return any(node.op_type in ("Shape", "Size") for node in model.graph.node)
