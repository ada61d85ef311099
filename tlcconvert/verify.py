"""Numeric parity between an ONNX file and an eager network, for anyone's test suite."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from torch import nn

from tlcconvert.eager_reference import EagerReference, evaluation_copy
from tlcconvert.errors import InputError
from tlcconvert.options import Size
from tlcconvert.parity import Parity
from tlcconvert.verification.compare import TOLERANCE, compare_session
from tlcconvert.verification.session import inference_session, inputs_of
from tlcconvert.verification.sizes import with_batch

DEFAULT_SIZES: tuple[Size, ...] = ((1, 64, 64), (2, 48, 80), (1, 97, 65), (3, 33, 40))


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
    inputs = inputs_of(session)
    return compare_session(session, reference, inputs, with_batch(sizes), tolerance, "onnx / eager")
