"""From the converted program to an ONNX model in standard operators."""

from __future__ import annotations

import re

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common
import torch
import torch.onnx.errors
from onnxscript import optimizer
from torch.export import ExportedProgram

from tlcconvert.capture import silence
from tlcconvert.errors import CaptureError
from tlcconvert.lowering import TRANSLATIONS


def lower(
    program: ExportedProgram, opset: int, input_names: list[str], output_names: list[str]
) -> onnx.ModelProto:
    """``program`` as an ONNX model of the given opset, its ``tlc::`` operators written out.

    Args:
        program: functional graph with symbolic batch, height and width.
        opset: 18 to 24.
        input_names, output_names: in calling order.

    Raises:
        CaptureError: an operation has no ONNX form; the message is the exporter's reason.
    """
    # Guards restate what the example satisfied; capture has proven sizes by running them, and the rewritten
    # graph need not satisfy them.
    program._guards_code = []
    try:
        with silence(), torch.no_grad():
            exported = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=opset,
                input_names=input_names,
                output_names=output_names,
                custom_translation_table=TRANSLATIONS,
                optimize=False,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise CaptureError(f"The network cannot be written in ONNX operators: {_reason(error)}") from error
    assert exported is not None
    return ir.to_proto(_simplified(exported.model))


def _simplified(model: ir.Model) -> ir.Model:
    """Shape arithmetic done once and constants folded.

    These are the exporter's own optimisations without its pattern rewriter, whose time grows with the square of
    the number of nodes and which changes nothing onnxruntime would not change itself.
    """
    optimizer.inline(model)
    optimizer.fold_constants(model)
    result = ir.passes.Sequential(
        common.IdentityEliminationPass(),
        common.RemoveUnusedNodesPass(),
        common.RemoveUnusedFunctionsPass(),
        common.RemoveUnusedOpsetsPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.CommonSubexpressionEliminationPass(),
        common.OutputFixPass(),
        common.NameFixPass(),
    )(model)
    return result.model


def _reason(error: Exception) -> str:
    """The exporter's own words, without its advice and its colours."""
    text = re.sub(r"\x1b\[\d+m", "", str(error)).partition("## Exception summary")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else type(error.__cause__ or error).__name__
