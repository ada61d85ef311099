"""From the converted program to an ONNX model in standard operators."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common
import torch
import torch.onnx.errors
from onnxscript import optimizer
from torch import fx
from torch.export import ExportedProgram

from passes.emitter import Emitter
from passes.program import where, with_own_graph
from passes.result import PassResult, Rewrite
from passes.torch_internals.guards import drop_guards
from passes.torch_internals.undecided_sizes import undecided_sizes
from tlcconvert.errors import CaptureError
from tlcconvert.lower.exact_extents import lowered_whole_number, whole_number, write_extents_exactly
from tlcconvert.lower.external_weights import ExternalWeights
from tlcconvert.lower.forms import PORTABLE, Translations
from tlcconvert.lower.forms.loops.subgraph import number_bodies
from tlcconvert.lower.fourier_products import FOURIER
from tlcconvert.lower.known_ratios import resize_by_known_ratios
from tlcconvert.lower.local_decomposition import decompose
from tlcconvert.lower.moments_axis_by_axis import MOMENTS, sums_a_map
from tlcconvert.lower.readable_names import name_by_place
from tlcconvert.lower.shared_extents import share_extents
from tlcconvert.lower.unread_bounds import keep_bounds_unread
from tlcconvert.lower.widened_weights import unless_it_widens_a_weight
from tlcconvert.process_state.silence import silence
from tlcconvert.torch_internals.promote_types_once import promote_types_once
from tlcconvert.torch_internals.run_decompositions import Table, decompose_by

_WITH_POSITIONS = (torch.ops.aten.adaptive_max_pool1d.default, torch.ops.aten.adaptive_max_pool2d.default)


@dataclass(frozen=True, kw_only=True)
class Lowered(PassResult):
    """A program as an ONNX ``model``, and what was rewritten on the way in a copy of it."""

    model: onnx.ModelProto


def lower(
    program: ExportedProgram,
    opset: int,
    input_names: list[str],
    output_names: list[str],
    weights: ExternalWeights | None = None,
    translations: Translations = PORTABLE,
) -> Lowered:
    """``program`` as an ONNX model of the given opset, its ``tlc::`` operators written out; it is not changed.

    Args:
        program: functional graph with symbolic batch, height and width.
        opset: 18 to 24.
        input_names, output_names: in calling order.
        weights: where the weights go if they are not to be part of the model.
        translations: the ONNX forms of the ``tlc::`` operators.

    Raises:
        CaptureError: an operation has no ONNX form; the message is the exporter's reason.
    """
    _refuse_positions(program)
    program = with_own_graph(program)
    drop_guards(program)
    decomposed = _decompose_only_where_needed(program)
    prepared = _count_axes_from_the_front(program)
    prepared += resize_by_known_ratios(program) + write_extents_exactly(program)
    try:
        with silence(), torch.no_grad(), undecided_sizes(), promote_types_once():
            exported = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=opset,
                input_names=input_names,
                output_names=output_names,
                custom_translation_table={**translations, whole_number: lowered_whole_number},
                optimize=False,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise CaptureError(f"The network cannot be written in ONNX operators: {_reason(error)}") from error
    assert exported is not None
    with silence():
        simplified = _simplified(exported.model)
    model = ir.to_proto(simplified) if weights is None else weights.store(simplified)
    return Lowered(rewrites=sum(decomposed, prepared).rewrites, model=model)


def _refuse_positions(program: ExportedProgram) -> None:
    """Adaptive max pools are lowered without the positions of their maxima."""
    for node in program.graph.nodes:
        pool = node.args[0] if node.target is operator.getitem else None
        if isinstance(pool, fx.Node) and pool.target in _WITH_POSITIONS and node.args[1] == 1 and node.users:
            raise CaptureError(
                f"The positions of the maxima of an adaptive max pool at {where(pool)} have no ONNX form: "
                "it is called with return_indices=True, and the network reads them."
            )


def _decompose_only_where_needed(program: ExportedProgram) -> list[PassResult]:
    """Spares the exporter a second trace of the program; the list gets what is rewritten once it asks."""

    done: list[PassResult] = []

    def where_needed(table: Table) -> ExportedProgram:
        done.append(decompose(program, MOMENTS, sums_a_map))
        done.append(decompose(program, {**table, **FOURIER}))
        done.append(_ask_sizes_of_real_parts(program))
        return program

    decompose_by(program, where_needed)
    return done


def _ask_sizes_of_real_parts(program: ExportedProgram) -> PassResult:
    """The exporter knows no size of a complex tensor; as pairs of real numbers it has the same, and one axis more."""
    rewrites = []
    for node in program.graph.nodes:
        if node.target is not torch.ops.aten.sym_size.int:
            continue
        source, axis = node.args
        if source.meta["val"].is_complex():
            pairs = Emitter(node).call(torch.ops.aten.view_as_real.default, source)
            pairs.meta["val"] = torch.ops.aten.view_as_real.default(source.meta["val"])
            node.args = (pairs, axis)
            rewrites.append(Rewrite("size", where(node), "of complex numbers", "of pairs"))
    return PassResult(tuple(rewrites))


def _count_axes_from_the_front(program: ExportedProgram) -> PassResult:
    """The exporter reads ``sym_size(x, -1)`` as the part of the shape from -1 up to 0, which is empty."""
    rewrites = []
    for node in program.graph.nodes:
        if node.target is torch.ops.aten.sym_size.int and node.args[1] < 0:
            source, axis = node.args
            node.args = (source, axis + source.meta["val"].dim())
            rewrites.append(Rewrite("size", where(node), f"of axis {axis}", f"of axis {node.args[1]}"))
    return PassResult(tuple(rewrites))


def _simplified(model: ir.Model) -> ir.Model:
    """Shape arithmetic done once, constants folded, and everything named by its place.

    These are the exporter's own optimisations without its pattern rewriter, whose time grows with the square of
    the number of nodes and which changes nothing onnxruntime would not change itself.
    """
    weights = set(model.graph.initializers)
    number_bodies(model.graph)
    optimizer.inline(model)
    optimizer.fold_constants(model, should_fold=unless_it_widens_a_weight)
    model = ir.passes.Sequential(
        common.IdentityEliminationPass(),
        common.RemoveUnusedNodesPass(),
        common.RemoveUnusedFunctionsPass(),
        common.RemoveUnusedOpsetsPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
    )(model).model
    _lay_out_weights(model)
    share_extents(model.graph)
    _share_expressions(model)
    keep_bounds_unread(model.graph)
    name_by_place(model, weights)
    return model


def _share_expressions(model: ir.Model) -> None:
    """Computes once what is computed twice; outputs keep their types, which parts of a statistic have none of."""
    stated = [(output.type, output.shape) for output in model.graph.outputs]
    ir.passes.Sequential(
        common.DeduplicateHashedInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
        common.OutputFixPass(),
    )(model)
    for output, (type_, shape) in zip(model.graph.outputs, stated, strict=True):
        output.type, output.shape = type_, shape


def _lay_out_weights(model: ir.Model) -> None:
    """Copies weights that are views of another layout: equal ones are found by their bytes in memory."""
    for value in model.graph.initializers.values():
        array = None if value.const_value is None else value.const_value.numpy()
        if array is not None and not array.flags.c_contiguous:
            value.const_value = ir.tensor(np.ascontiguousarray(array), name=value.name)


def _reason(error: Exception) -> str:
    """The exporter's own words, without its advice and its colours."""
    text = re.sub(r"\x1b\[\d+m", "", str(error)).partition("## Exception summary")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else type(error.__cause__ or error).__name__
