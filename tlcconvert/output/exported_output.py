"""The converted network as a ``.pt2`` file for ``torch.export.load`` and AOTInductor, in ATen operators alone.

The file is checked like the ONNX file: written, read back and run against the converted network in eager PyTorch.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.decompose import decompose
from passes.torch_internals.names import OpOverload
from tlcconvert.errors import CaptureError, ParityError
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE
from tlcconvert.process_state.silence import silence
from tlcconvert.verification.compare import compare_callables
from tlcconvert.verification.parity import Parity

METADATA_FILE = "tlcconvert.json"
_COMPARED = "pt2 / converted"
_WITHOUT_WINDOWS = (64, 64)


def verified_program(
    program: ExportedProgram,
    converted: fx.GraphModule,
    inputs: NetworkInputs,
    window: tuple[int, int] | None,
    sizes: Sequence[tuple[int, int, int]],
    report: Callable[[str], None],
) -> tuple[ExportedProgram, Parity]:
    """:func:`exported_program` of ``program``, and its file against ``converted``, see :func:`verify_archive`.

    Raises:
        CaptureError: the program cannot be written.
        ParityError: the written program does not accept one of the sizes.
    """
    report("writing the operators out")
    exported = exported_program(program, window)
    return exported, verify_archive(archive(exported, {}), converted, inputs, sizes, report)


def exported_program(program: ExportedProgram, window: tuple[int, int] | None) -> ExportedProgram:
    """``program`` without ``tlc::`` operators and guards, for any batch, height and width; it is not changed.

    Args:
        program: the converted network, its sizes symbolic.
        window: height and width of the largest window in pixels of the image; None where there is none.

    Raises:
        CaptureError: the program cannot be given symbols of its own.
    """
    height, width = window or _WITHOUT_WINDOWS
    try:
        with silence():
            return decompose(program, (2 * height + 1, 2 * width + 3))
    except Exception as error:
        raise _refusal(error) from error


def archive(program: ExportedProgram, metadata: Mapping[str, str]) -> bytes:
    """The content of a ``.pt2`` file; ``metadata`` is in it as a JSON file of its own.

    Raises:
        CaptureError: the program has something torch.export.save does not write.
    """
    buffer = io.BytesIO()
    try:
        with silence():
            torch.export.save(
                program, buffer, extra_files={METADATA_FILE: json.dumps(dict(metadata), indent=1)}
            )
    except Exception as error:
        raise _refusal(error) from error
    return buffer.getvalue()


def verify_archive(
    content: bytes,
    converted: fx.GraphModule,
    inputs: NetworkInputs,
    sizes: Sequence[tuple[int, int, int]],
    report: Callable[[str], None],
) -> Parity:
    """The program in ``content`` against the converted network at (batch, height, width) each.

    Raises:
        ParityError: the program does not accept one of the sizes.
    """
    report("running the exported program")
    with silence():
        loaded = torch.export.load(io.BytesIO(content))
    parity = compare_callables(loaded.module(), converted, inputs, sizes, TOLERANCE, _COMPARED)
    for row in parity.failures:
        if row.raised:
            raise ParityError(
                f"No .pt2 file can be written for this network, as it raises {row.raised.removesuffix('.')} at "
                f"{row.size}: write an .onnx file instead."
            )
    needed = sorted(_foreign_namespaces(loaded))
    notes = tuple(f"to load the program, import what registers the operators of {name}" for name in needed)
    return Parity(parity.comparisons, parity.notes + notes)


def _foreign_namespaces(program: ExportedProgram) -> set[str]:
    targets = (node.target for node in program.graph.nodes)
    namespaces = {target.namespace for target in targets if isinstance(target, OpOverload)}
    return namespaces - {"aten", "prim", "prims"}


def _refusal(error: Exception) -> CaptureError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return CaptureError(f"The network cannot be written as an exported program: {reason}")
