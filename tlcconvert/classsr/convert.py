"""From a ClassSR to one verified ONNX model: whole image in, whole image out, routing inside.

The pipeline beside the one for statistics: there is no statistic over the image to localise, as the classifier and
channel attention see patches of the size they were trained on. What is captured is the routing itself, whose
sub-batches have sizes only known at run time.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.export import Dim, ExportedProgram

from passes.program import user_inputs
from passes.result import PassResult
from tlcconvert.architectures.classsr import CELL, ClassSR, classsr_of
from tlcconvert.capture.capture import functional
from tlcconvert.classsr.batch_norm import fold_batch_norms
from tlcconvert.classsr.costs import Costs, multiply_adds
from tlcconvert.classsr.metadata import describe
from tlcconvert.classsr.parity import cases_of, compare, random_image
from tlcconvert.classsr.patches import Grid
from tlcconvert.classsr.routing import BudgetedImage, RoutedImage
from tlcconvert.conversion import Conversion
from tlcconvert.errors import CaptureError, InputError
from tlcconvert.lower.tidy import tidy
from tlcconvert.network.eager_reference import evaluation_copy
from tlcconvert.network.pixels import Pixels
from tlcconvert.output.metadata import state_sha256
from tlcconvert.pipeline import SIMPLIFY, Draft, Journal, Pipeline, Step
from tlcconvert.pipeline.steps import lowering
from tlcconvert.process_state.silence import silence
from tlcconvert.stages import Progress, Stages
from tlcconvert.verification.parity import Parity
from tlcconvert.verification.session import inference_session

_CONTROLS = ("class_bias", "budget")
_OUTPUTS = ("output", "class_map")
_IMAGE_AXES = ("batch", "channels", "height", "width")


def convert_classsr(
    module: ClassSR,
    *,
    patch_size: int = 32,
    patch_step: int = 28,
    knobs: bool = False,
    costs: Costs | None = None,
    scale: int | None = None,
    opset: int = 18,
    pixels: Pixels | None = None,
    source_sha256: str = "",
    without: Collection[str] = (),
    dump: Path | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Converts a ClassSR to an ONNX model for images of every size.

    Args:
        module: the network; it is not changed.
        patch_size: side of the square patches in pixels, the size it was trained on.
        patch_step: distance of patches; between half the patch size and the patch size.
        knobs: also return ``class_map`` [N, rows, columns] and take the optional inputs ``class_bias`` [classes] and
            ``budget`` (scalar); see :class:`tlcconvert.classsr.routing.BudgetedImage`.
        costs: what the budget counts in; by default multiply-adds.
        scale: of FSRCNN branches, whose weights do not tell it, if it is not the published 4.
        opset: 18 to 24.
        pixels: what the values of the image mean, for the file's metadata.
        source_sha256: hash of the file the network came from; by default that of its sorted state.
        without, dump: as in :func:`tlcconvert.convert`.
        progress: called with the name of each stage as it begins.

    Raises:
        InputError: an argument is out of range or does not fit the network.
        CaptureError: the network cannot be captured or has no ONNX form.
        ParityError: a comparison failed.
    """
    grid = Grid(patch_size, patch_step)
    if patch_size < CELL:
        raise InputError(f"The classifier sees cells of {CELL} pixels: a patch of {patch_size} is too small.")
    if costs is not None and not knobs:
        raise InputError("Costs belong to a budget: ask for knobs too.")
    stages = Stages(progress or (lambda _: None))
    with stages("capture"):
        original = at_scale(module, scale)
        network = _copied(original)
        norms = fold_batch_norms(network)
        if knobs and costs is None:
            costs = multiply_adds(network, patch_size)
        before, after = _routed(original, grid, costs), _routed(network, grid, costs)
        program = _captured(after)
    draft, journal = Draft(program), Journal(dump)
    steps = _steps(norms, knobs, opset).without(without)
    journal.begin(draft)
    with stages("fold"):
        steps.run("fold", draft, journal)
    with stages("export"):
        metadata = describe(network, grid, costs, pixels or Pixels(), source_sha256 or state_sha256(module))
        steps.run("write", draft, journal)
        lowered = draft.model
        assert lowered is not None
        model = mapped = _finished(lowered, program, metadata)
        if not knobs:
            del lowered.graph.output[1]
            model = _finished(lowered, program, metadata)
    with stages("verify"):
        parity = _verified(model, mapped, after, before)
    parity.raise_for_mismatch()
    return Conversion(
        model, after, tuple(journal.entries), (), parity, metadata, stages.seconds, original=before
    )


def _steps(norms: PassResult, knobs: bool, opset: int) -> Pipeline:
    """From the captured routing to a model; ``norms`` were folded before, in each branch."""
    inputs = ["input", *_CONTROLS] if knobs else ["input"]
    folded = Step("batch_norm", lambda _: norms, "before capture, which has one graph for all branches", True)
    return Pipeline({"fold": (folded, *SIMPLIFY), "write": (lowering(opset, inputs, _OUTPUTS),)})


def at_scale(module: ClassSR, scale: int | None) -> ClassSR:
    """A copy of ``module`` in evaluation mode, at ``scale`` if its weights leave that open.

    Raises:
        InputError: its weights are of another scale.
    """
    copied = _copied(module)
    if scale in (None, copied.scale):
        return copied
    rescaled = classsr_of(copied.state_dict(), scale)
    if rescaled.scale != scale:
        raise InputError(f"The weights of these branches are of scale {rescaled.scale}, not {scale}.")
    return rescaled.eval()


def _copied(module: ClassSR) -> ClassSR:
    copied = evaluation_copy(module)
    assert isinstance(copied, ClassSR)
    return copied


def _routed(network: ClassSR, grid: Grid, costs: Costs | None) -> RoutedImage:
    return (RoutedImage(network, grid) if costs is None else BudgetedImage(network, grid, costs)).eval()


def _captured(routed: RoutedImage) -> ExportedProgram:
    network, grid = routed.network, routed.grid
    image = random_image((2, 2 * grid.size + 1, 3 * grid.size + 2), network.colors, seed=0)
    controls = _defaults(network) if isinstance(routed, BudgetedImage) else ()
    sizes = ({0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}, *(None for _ in controls))
    try:
        with silence(), torch.no_grad():
            return functional(torch.export.export(routed, (image, *controls), dynamic_shapes=sizes))
    except Exception as error:
        raise CaptureError(f"The routing cannot be captured: {str(error).splitlines()[0]}") from error


def _defaults(network: ClassSR) -> tuple[Tensor, Tensor]:
    """``class_bias`` and ``budget`` that leave the choice to the classifier."""
    return torch.zeros(len(network.branches)), torch.tensor(0.0)


def _finished(
    lowered: onnx.ModelProto, program: ExportedProgram, metadata: dict[str, str]
) -> onnx.ModelProto:
    """A tidy copy of ``lowered`` whose axes are named and whose controls have defaults."""
    sizes = user_inputs(program)[0].meta["val"].shape
    axes = {str(size): name for size, name in zip(sizes, _IMAGE_AXES, strict=True)}
    model = tidy(lowered, axes, metadata)
    for value in model.graph.output[1:]:
        for axis, name in zip(value.type.tensor_type.shape.dim, ("batch", "rows", "columns"), strict=True):
            axis.dim_param = name
    for value in model.graph.input[1:]:
        # An input with an initialiser of its name may be left out.
        shape = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(shape, np.float32), value.name))
    onnx.checker.check_model(model, full_check=True)
    return model


def _verified(
    model: onnx.ModelProto, mapped: onnx.ModelProto, converted: RoutedImage, original: RoutedImage
) -> Parity:
    """``model`` in onnxruntime against the converted network, and that against the original.

    ``mapped`` is the same with the class map as an output, without which images cannot be compared.
    """
    session, map_session = (inference_session(each.SerializeToString()) for each in (model, mapped))
    names = [value.name for value in model.graph.input]

    def run(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        feeds = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
        (output,), (class_map,) = session.run(["output"], feeds), map_session.run(["class_map"], feeds)
        return torch.from_numpy(output), torch.from_numpy(class_map)

    cases = cases_of(converted)
    written = compare(run, converted, cases, "onnx / converted")
    folded = compare(converted, original, cases[:3], "converted / original")
    return Parity(written.comparisons + folded.comparisons)
