"""Numeric parity between an ONNX file and an eager network, for anyone's test suite."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from tlcconvert.errors import InputError
from tlcconvert.network.eager_reference import EagerReference, evaluation_copy, tensors_of
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE
from tlcconvert.options import Size
from tlcconvert.verification.compare import Trial, expected_at
from tlcconvert.verification.parity import Parity
from tlcconvert.verification.session import callable_of, inference_session, inputs_of
from tlcconvert.verification.sizes import with_batch
from tlcconvert.verification.unknown_file import trials_for

_MOST_PIXELS = 2**28
"""Of one batch; 16384 x 16384."""


def verify(
    onnx_path: str | os.PathLike[str],
    module: nn.Module,
    sizes: Iterable[Size] | None = None,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Compares an ONNX file in onnxruntime with an eager module, at images of several sizes.

    Args:
        onnx_path: a file whose first input is an image batch [N, C, H, W], float32.
        module: the reference; it is copied and run in evaluation mode, in float32.
        sizes: (height, width) or (batch, height, width) of each image, in pixels. By default they are chosen as
            those of a conversion are: small ones, one far along each axis, and the largest of the sizes people run
            that a budget of multiply-adds affords. A file of this tool whose statistics are local differs from
            the network it was made from beyond its windows, so against that network they stay below.
        tolerance: largest error as a fraction of the largest absolute value of the reference's output;
            between 0 and 1.

    Returns:
        One comparison per size and output. Call ``raise_for_mismatch()`` on it to fail with a table.

    Raises:
        InputError: the file is not a model onnxruntime can run, it has inputs that are no float tensors or have axes
            that are none of the image's, the reference returns no real numbers, or an argument is out of range.
    """
    _check_tolerance(tolerance)
    chosen = None if sizes is None else _checked(sizes)
    try:
        content = Path(onnx_path).read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read {onnx_path}: {error.strerror}.") from error
    session = inference_session(content, Path(onnx_path).parent)
    inputs = inputs_of(session)
    reference = EagerReference(evaluation_copy(module))
    notes: tuple[str, ...] = ()
    if chosen is None:
        trials, notes = trials_for(session, reference, inputs)
    else:
        trials = [Trial(size, "asked for") for size in chosen]
    _check_outputs(reference, inputs, trials)
    parity = expected_at(reference, inputs, trials, "onnx / eager").compare(callable_of(session), tolerance)
    return Parity(parity.comparisons, parity.notes + notes)


def _check_tolerance(tolerance: Any) -> None:
    is_number = isinstance(tolerance, (int, float)) and not isinstance(tolerance, bool)
    if not is_number or not math.isfinite(tolerance) or not 0 < tolerance < 1:
        raise InputError(
            f"A tolerance is a fraction of the output's scale between 0 and 1, not {_shown(tolerance)}."
        )


def _checked(sizes: Iterable[Any]) -> list[tuple[int, int, int]]:
    """``sizes`` with their batch, each of them possible."""
    given = list(sizes)
    if not given:
        raise InputError("There is nothing to compare at: sizes is empty; leave it out to have them chosen.")
    for size in given:
        if not isinstance(size, Sequence) or isinstance(size, str) or len(size) not in (2, 3):
            raise InputError(f"A size is (height, width) or (batch, height, width), not {_shown(size)}.")
        if any(isinstance(extent, bool) or not isinstance(extent, int) or extent < 1 for extent in size):
            raise InputError(f"A size is whole numbers of at least 1 each, not {_shown(size)}.")
        if math.prod(size) > _MOST_PIXELS:
            raise InputError(f"A size is at most {_MOST_PIXELS:,} pixels in all images together.")
    return with_batch([tuple(size) for size in given])


def _shown(value: object) -> str:
    """At most 80 characters of what was handed over; Python refuses to print numbers of thousands of digits."""
    try:
        return repr(value)[:80]
    except ValueError:
        return "a number of thousands of digits"


def _check_outputs(reference: nn.Module, inputs: NetworkInputs, trials: Sequence[Trial]) -> None:
    """A reference that returns no real numbers can only agree by accident."""
    smallest = min(trials, key=lambda trial: math.prod(trial.size))
    try:
        outputs = tensors_of(reference(*smallest.images(inputs, 0)))
    except Exception:
        # The comparison notes what the reference raises, size by size.
        return
    if not outputs:
        raise InputError("The reference returns no tensor.")
    for output in outputs:
        if not output.is_floating_point():
            raise InputError(
                f"The reference returns {str(output.dtype).removeprefix('torch.')} values; "
                "a tolerance compares real numbers only."
            )
