"""Running an ONNX file in onnxruntime against PyTorch.

The error of a comparison is measured against the scale of the output. Where it exceeds the tolerance the
reference is run once more in float64: a network that amplifies rounding so much that PyTorch's own float32
result is as far from the float64 one passes with that distance as its bound, and the table says so.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import fx, nn

from passes.localize import Localized
from passes.localize.exact_counterpart import exact_counterpart
from tlcconvert.capture import Captured
from tlcconvert.eager_reference import EagerReference, evaluation_copy, tensors_of
from tlcconvert.errors import InputError
from tlcconvert.float64_copy import float64_copy
from tlcconvert.network_inputs import BATCH, HEIGHT, WIDTH, ExtraInput, NetworkInputs
from tlcconvert.options import Options, Size
from tlcconvert.parity import Comparison, Parity
from tlcconvert.parity_sizes import bracketing_sizes, unchanged_sizes

DEFAULT_SIZES: tuple[Size, ...] = ((1, 64, 64), (2, 48, 80), (1, 97, 65), (3, 33, 40))
TOLERANCE = 1e-5
_ILL_CONDITIONED = 4.0
_MOST = 1e-3
_WITHOUT_WINDOWS = (64, 64)


def verify(
    onnx_path: str | os.PathLike[str],
    module: nn.Module,
    sizes: Iterable[Size] = DEFAULT_SIZES,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Compares an ONNX file in onnxruntime with an eager module, at random images of several sizes.

    Args:
        onnx_path: a file whose first input is an image batch [N, C, H, W], float32.
        module: the reference; it is copied and run in evaluation mode, in float32.
        sizes: (height, width) or (batch, height, width) of each image, in pixels.
        tolerance: largest error as a fraction of the largest absolute value of the reference's output.

    Returns:
        One comparison per size and output. Call ``raise_for_mismatch()`` on it to fail with a table.

    Raises:
        InputError: the file is not a model onnxruntime can run, or it has inputs that are no float tensors.
    """
    try:
        session = inference_session(Path(onnx_path).read_bytes(), Path(onnx_path).parent)
    except OSError as error:
        raise InputError(f"Cannot read {onnx_path}: {error.strerror}.") from error
    reference = EagerReference(evaluation_copy(module))
    inputs = _inputs_of(session)
    return compare_session(session, reference, inputs, _with_batch(sizes), tolerance, "onnx / eager")


def inference_session(
    model: bytes, folder: Path | None = None, *, weights_in_file: bool = False
) -> onnxruntime.InferenceSession:
    """onnxruntime's CPU session, silent, with its default optimisations.

    Args:
        model: a serialised ONNX model.
        folder: where its weights are if they are not part of it.
        weights_in_file: leave them there. The one default optimisation that would hold them in memory, and twice,
            is left out: another layout for convolutions.

    Raises:
        InputError: onnxruntime refuses the model; the message is its own.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if folder is not None:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(folder.resolve())
        )
    if weights_in_file:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(f"onnxruntime cannot load the model: {str(error).splitlines()[0]}") from error


def compare_session(
    session: onnxruntime.InferenceSession,
    reference: nn.Module,
    inputs: NetworkInputs,
    sizes: Sequence[tuple[int, int, int]],
    tolerance: float,
    what: str,
) -> Parity:
    """``session`` against ``reference`` at (batch, height, width) each; see :func:`verify`."""
    return compare_callables(_callable(session), reference, inputs, sizes, tolerance, what)


def _callable(session: onnxruntime.InferenceSession) -> Callable[..., tuple[torch.Tensor, ...]]:
    names = [value.name for value in session.get_inputs()]

    def run(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        feeds = {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}
        return tuple(torch.from_numpy(np.asarray(result)) for result in session.run(None, feeds))

    return run


def compare_callables(
    candidate: Any,
    reference: nn.Module,
    inputs: NetworkInputs,
    sizes: Sequence[tuple[int, int, int]],
    tolerance: float,
    what: str,
) -> Parity:
    """``candidate`` against ``reference`` at (batch, height, width) each.

    A size at which the reference raises or returns something that is not finite is noted, not compared.
    """
    return expected_at(reference, inputs, sizes, what).compare(candidate, tolerance)


@dataclass(frozen=True)
class Expected:
    """What a reference returns, kept so that the candidate need not be in memory at the same time.

    Attributes:
        what: of the comparisons, e.g. ``"onnx / converted"``.
        outputs: (batch, height, width), the images, and what the reference returns for them.
        notes: the sizes at which there is nothing to compare, and why.
    """

    what: str
    reference: nn.Module
    outputs: tuple[tuple[tuple[int, int, int], Sequence[torch.Tensor], Sequence[torch.Tensor]], ...]
    notes: tuple[str, ...]

    def compare(self, candidate: Any, tolerance: float) -> Parity:
        """``candidate`` against what was expected; the reference runs again where float64 has to judge."""
        comparisons: list[Comparison] = []
        for size, images, outputs in self.outputs:
            comparisons += _compare_outputs(
                candidate, self.reference, images, outputs, tolerance, self.what, size
            )
        return Parity(tuple(comparisons), self.notes)


def expected_at(
    reference: nn.Module, inputs: NetworkInputs, sizes: Sequence[tuple[int, int, int]], what: str
) -> Expected:
    """Runs ``reference`` at (batch, height, width) each, on images that are the same on every call."""
    outputs = []
    notes: list[str] = []
    for seed, size in enumerate(sizes):
        images = inputs.random(*size, seed=seed)
        label = "x".join(map(str, size))
        try:
            expected = tensors_of(reference(*(image.clone() for image in images)))
        except Exception as error:
            notes.append(f"{what} at {label} not compared: the reference raises {_first_line(error)}")
            continue
        if not all(bool(tensor.isfinite().all()) for tensor in expected):
            notes.append(f"{what} at {label} not compared: the reference returns values that are not finite")
            continue
        outputs.append((size, images, expected))
    return Expected(what, reference, tuple(outputs), tuple(notes))


def _compare_outputs(
    candidate: Any,
    reference: nn.Module,
    images: Sequence[torch.Tensor],
    expected: Sequence[torch.Tensor],
    tolerance: float,
    what: str,
    size: tuple[int, int, int],
) -> list[Comparison]:
    try:
        with torch.no_grad():
            computed = tensors_of(candidate(*(image.clone() for image in images)))
    except Exception as error:
        return [Comparison(what, *size, math.nan, 1.0, tolerance, f"it raises {_first_line(error)}")]
    if [tensor.shape for tensor in computed] != [tensor.shape for tensor in expected]:
        shapes = [[list(tensor.shape) for tensor in side] for side in (computed, expected)]
        return [Comparison(what, *size, math.nan, 1.0, tolerance, f"shapes {shapes[0]}, not {shapes[1]}")]
    rows = [
        Comparison(what, *size, _distance(own, other), _magnitude(other), tolerance)
        for own, other in zip(computed, expected, strict=True)
    ]
    if all(row.passed for row in rows):
        return rows
    return _against_double(reference, images, computed, expected, tolerance, what, size, rows)


def _against_double(
    reference: nn.Module,
    images: Sequence[torch.Tensor],
    computed: Sequence[torch.Tensor],
    expected: Sequence[torch.Tensor],
    tolerance: float,
    what: str,
    size: tuple[int, int, int],
    rows: list[Comparison],
) -> list[Comparison]:
    """Both results against the reference in float64; ``rows`` where it has none."""
    try:
        double = float64_copy(reference)
        with torch.no_grad():
            exact = tensors_of(double(*(image.double() for image in images)))
    except Exception:
        return rows
    judged = []
    for row, own, other, truth in zip(rows, computed, expected, exact, strict=True):
        rounding = _distance(other, truth) / max(_magnitude(truth), 1e-300)
        if row.passed or truth.dtype != torch.float64 or not rounding > tolerance / _ILL_CONDITIONED:
            judged.append(row)
            continue
        bound = min(_ILL_CONDITIONED * rounding, _MOST)
        note = f"against float64, from which PyTorch's own float32 is {rounding:.0e} away"
        judged.append(Comparison(what, *size, _distance(own, truth), _magnitude(truth), bound, note))
    return judged


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b.double()).abs().max()) if a.numel() else 0.0


def _magnitude(tensor: torch.Tensor) -> float:
    return float(tensor.double().abs().max()) if tensor.numel() else 0.0


def _first_line(error: Exception) -> str:
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return f"{type(error).__name__}: {lines[0]}"


def _inputs_of(session: onnxruntime.InferenceSession) -> NetworkInputs:
    image, *extra = session.get_inputs()
    if image.type != "tensor(float)" or len(image.shape) != 4 or not isinstance(image.shape[1], int):
        raise InputError(f"The model's first input {image.name} is no float32 image batch [N, C, H, W].")
    names = dict(zip([image.shape[axis] for axis in (0, 2, 3)], (BATCH, HEIGHT, WIDTH), strict=True))
    return NetworkInputs(
        image.shape[1],
        tuple(
            ExtraInput(value.name, tuple(names.get(size, size) for size in value.shape)) for value in extra
        ),
    )


def verify_conversion(
    open_session: Callable[[], onnxruntime.InferenceSession],
    converted: fx.GraphModule,
    original: nn.Module,
    captured: Captured,
    localized: Localized | None,
    options: Options,
    report: Callable[[str], None],
    also_at: Sequence[tuple[int, int, int]] = (),
) -> Parity:
    """The proofs a conversion must pass before it is handed over.

    The model against the converted network in eager PyTorch, at sizes around the windows; and the converted
    network against the original at sizes where every statistic still covers its whole map (at all
    sizes where nothing was localised). Sizes the caller chose take the place of both; a file of one size is
    run at that size.

    Args:
        open_session: loads the model; called once the converted network has run and its weights may go.
        also_at: further (batch, height, width) at which the model is compared with the converted network.
    """
    requirements = captured.requirements
    window = localized.training.base_size if localized and localized.sites else _WITHOUT_WINDOWS
    taken = _as_they_are if options.size_wrapper else requirements.up
    chosen = _rounded(_with_batch(options.verify_sizes) or bracketing_sizes(window), taken)
    sizes = [(1, *options.static_size)] * 2 if options.static_size else [*chosen, *also_at]
    report("running the model in onnxruntime")
    expected = expected_at(converted, captured.inputs, sizes, "onnx / converted")
    parity = expected.compare(_callable(open_session()), TOLERANCE)
    assumed = tuple(
        f"the graph relies on {assumption}, at sizes too large to run" for assumption in captured.assumptions
    )
    parity = Parity(
        parity.comparisons, parity.notes + assumed + _deviation(converted, captured, localized, window)
    )
    report("running the converted network against the original")
    sizes = chosen
    if localized is not None and localized.sites:

        def is_unchanged(height: int, width: int) -> bool:
            return localized.is_unchanged_at(requirements.up(height), requirements.up(width))

        own = [size for size in _with_batch(options.verify_sizes) if is_unchanged(*size[1:])]
        sizes = _rounded(own or unchanged_sizes(window, is_unchanged), taken)
    if not sizes:
        note = "converted / original not compared: at no size does every feature map fit its window"
        return Parity(parity.comparisons, (*parity.notes, note))
    unchanged = compare_callables(
        converted, original, captured.inputs, sizes, TOLERANCE, "converted / original"
    )
    return Parity(parity.comparisons + unchanged.comparisons, parity.notes + unchanged.notes)


def _with_batch(sizes: Iterable[Size]) -> list[tuple[int, int, int]]:
    return [size if len(size) == 3 else (1, *size) for size in sizes]


def _as_they_are(extent: int) -> int:
    return extent


def _rounded(
    sizes: Iterable[tuple[int, int, int]], taken: Callable[[int], int]
) -> list[tuple[int, int, int]]:
    """``sizes`` with height and width as the file takes them."""
    return list(dict.fromkeys((batch, taken(height), taken(width)) for batch, height, width in sizes))


def _deviation(
    converted: fx.GraphModule, captured: Captured, localized: Localized | None, window: tuple[int, int]
) -> tuple[str, ...]:
    """What statistics on a grid cost against exact ones, at an image of four windows; empty where all are exact."""
    if localized is None or localized.training.nodes_per_window is None:
        return ()
    images = captured.inputs.random(1, 2 * window[0], 2 * window[1])
    with torch.no_grad():
        (fast,) = tensors_of(converted(*images))
        (exact,) = tensors_of(exact_counterpart(converted)(*images))
    off = _distance(fast, exact) / max(_magnitude(exact), 1e-300)
    size = "x".join(str(extent) for extent in images[0].shape[2:])
    return (
        f"statistics on a grid change the output by up to {off:.1e} of its scale at {size}, against exact ones",
    )
