"""An ONNX model in onnxruntime, and the inputs it says it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from tlcconvert.errors import InputError
from tlcconvert.network_inputs import BATCH, HEIGHT, WIDTH, ExtraInput, NetworkInputs


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


def callable_of(session: onnxruntime.InferenceSession) -> Callable[..., tuple[torch.Tensor, ...]]:
    names = [value.name for value in session.get_inputs()]

    def run(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        feeds = {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}
        return tuple(torch.from_numpy(np.asarray(result)) for result in session.run(None, feeds))

    return run


def inputs_of(session: onnxruntime.InferenceSession) -> NetworkInputs:
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
