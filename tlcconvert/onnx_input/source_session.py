"""A source file in onnxruntime, as a module: what the network read from it must compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
import torch
from onnx import ModelProto, numpy_helper
from torch import Tensor, nn

from tlcconvert.verification.session import inference_session


class SourceSession(nn.Module):
    """``model`` in onnxruntime, at any size it can be run at.

    Args:
        input_names: of what it is called with, in that order.
        given: the values of all other inputs.

    Raises:
        InputError: onnxruntime cannot load it.
    """

    def __init__(self, model: ModelProto, input_names: Sequence[str], given: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._session = inference_session(_of_any_size(model, given).SerializeToString())
        self._input_names = list(input_names)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        feeds = {name: tensor.numpy() for name, tensor in zip(self._input_names, inputs, strict=True)}
        return tuple(torch.from_numpy(result) for result in self._session.run(None, feeds))


def _of_any_size(model: ModelProto, given: Mapping[str, Tensor]) -> ModelProto:
    """A copy whose images have no declared batch, height and width, and whose maps have no declared size."""
    free = ModelProto()
    free.CopyFrom(model)
    del free.graph.value_info[:]
    inputs = [value for value in free.graph.input if value.name not in given]
    del free.graph.input[:]
    free.graph.input.extend(inputs)
    free.graph.initializer.extend(numpy_helper.from_array(own.numpy(), name) for name, own in given.items())
    for value in free.graph.input:
        dimensions = value.type.tensor_type.shape.dim
        if len(dimensions) == 4:
            for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
                dimensions[axis].dim_param = name
    for value in free.graph.output:
        value.type.CopyFrom(onnx.helper.make_tensor_type_proto(value.type.tensor_type.elem_type, None))
    return free
