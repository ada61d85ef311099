"""An ONNX model in onnxruntime, and the inputs it says it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from tlcconvert.errors import InputError
from tlcconvert.network.network_inputs import BATCH, HEIGHT, WIDTH, ExtraInput, NetworkInputs


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
    """The inputs a model says it takes; its axes are known by the image's.

    Raises:
        InputError: the first input is no image batch, another is no float tensor, or has an axis that is neither a
            number nor one of the image's.
    """
    if not session.get_inputs():
        raise InputError("The model has no inputs: there is no image to run it at.")
    image, *extra = session.get_inputs()
    if image.type != "tensor(float)" or len(image.shape) != 4 or not isinstance(image.shape[1], int):
        raise InputError(
            f"The model's first input {image.name!r:.80} is no float32 image batch [N, C, H, W]."
        )
    axes = [(image.shape[axis], name) for axis, name in ((0, BATCH), (2, HEIGHT), (3, WIDTH))]
    names = {size: name for size, name in axes if isinstance(size, str)}
    return NetworkInputs(image.shape[1], tuple(_extra_input(value, names) for value in extra))


def _extra_input(value: onnxruntime.NodeArg, names: Mapping[str, str]) -> ExtraInput:
    if value.type != "tensor(float)":
        raise InputError(f"The model's input {value.name!r:.80} is a {value.type:.80}, not a float32 tensor.")
    unknown = [size for size in value.shape if not isinstance(size, int) and size not in names]
    if unknown:
        raise InputError(
            f"The model's input {value.name!r:.80} has an axis {unknown[0]!r:.80} that is none of the image's: "
            "nothing tells how long it is."
        )
    return ExtraInput(value.name, tuple(names.get(size, size) for size in value.shape))
