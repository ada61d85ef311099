"""The network in an ONNX file, with what its inputs and outputs are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from onnx import GraphProto, TensorProto, ValueInfoProto
from torch import Tensor

from tlcconvert.errors import InputError
from tlcconvert.network.network import Network
from tlcconvert.network.network_inputs import BATCH, HEIGHT, WIDTH, ExtraInput
from tlcconvert.network.source_file import SourceFile
from tlcconvert.onnx_input.batch_of_one import free_batch_of
from tlcconvert.onnx_input.network.onnx_network import OnnxNetwork
from tlcconvert.onnx_input.network.refusals import refuse_what_is_not_computed
from tlcconvert.onnx_input.reading.model_file import ModelFile, is_image, read_model
from tlcconvert.onnx_input.source_session import SourceSession
from tlcconvert.onnx_input.values.dtypes import DTYPES
from tlcconvert.shown_name import shown

_MOST_EXTRA = 4
_COLOURS = (1, 3, 4)


@dataclass(frozen=True)
class Built:
    """A file's graph as a network.

    Attributes:
        file: as it was read.
        module: not run yet.
        given: values of inputs that are pinned.
        image, others: the inputs that are left.
    """

    file: ModelFile
    module: OnnxNetwork
    given: dict[str, Tensor]
    image: ValueInfoProto
    others: list[ValueInfoProto]


def built(path: Path, pinned: Mapping[str, float]) -> Built:
    """The network in the ONNX file at ``path``; what is made of constants alone is computed.

    Args:
        pinned: a number for an input, which the network then has no longer.

    Raises:
        InputError: the file is damaged, is no network of an image, or has operators that are not computed.
    """
    file = read_model(path)
    graph = file.model.graph
    refuse_what_is_not_computed(graph, file.opsets)
    given = _pinned(graph, pinned)
    image, others = _inputs(graph, given)
    return Built(file, OnnxNetwork(graph, file.opsets, given, first=image.name), given, image, others)


def network_in(path: Path, sha256: str, pinned: Mapping[str, float]) -> Network:
    """:func:`built`, with what is known of its inputs and outputs, and a free batch.

    Args:
        sha256: of the file.

    Raises:
        InputError: as there, or the file is for one image at a time.
    """
    own = built(path, pinned)
    module, model, image = own.module, own.file.model, own.image
    channels, extra = _channels(image, model.graph), tuple(_extra(value, image) for value in own.others)
    batch = image.type.tensor_type.shape.dim[0].dim_value
    free_batch_of(module, channels, extra, is_declared_one=batch == 1)
    source = SourceFile(
        image.name,
        tuple(module.output_names),
        lambda: SourceSession(model, module.input_names, own.given),
        {entry.key: entry.value for entry in model.metadata_props},
    )
    return Network(module, input_channels=channels, extra_inputs=extra, sha256=sha256, source_file=source)


def _pinned(graph: GraphProto, numbers: Mapping[str, float]) -> dict[str, Tensor]:
    inputs = {value.name: value for value in graph.input}
    unknown = [name for name in numbers if name not in inputs]
    if unknown:
        raise InputError(f"The ONNX file has no input {shown(unknown[0])} to pin.")
    given = {}
    for name, number in numbers.items():
        kind = inputs[name].type.tensor_type
        shape = [axis.dim_value or 1 for axis in kind.shape.dim]
        if len(shape) == 4 or kind.elem_type not in (TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32):
            raise InputError(f"The input {shown(name)} is no number to pin.")
        given[name] = torch.full(shape, number, dtype=DTYPES[kind.elem_type])
    return given


def _inputs(graph: GraphProto, given: Mapping[str, Tensor]) -> tuple[ValueInfoProto, list[ValueInfoProto]]:
    """The image, and the inputs beside it."""
    constant = {tensor.name for tensor in graph.initializer} | given.keys()
    inputs = [value for value in graph.input if value.name not in constant]
    images = [value for value in inputs if is_image(value)]
    if not images:
        raise InputError("The ONNX file has no input that is a float image batch [N, C, H, W].")
    extents = [axis.dim_value for axis in images[0].type.tensor_type.shape.dim]
    if extents[3] in _COLOURS and extents[1] not in _COLOURS:
        raise InputError(
            f"The image {shown(images[0].name)} has its channels last, [N, H, W, C], which is not read: export the "
            "file with channels first, [N, C, H, W]."
        )
    others = [value for value in inputs if value is not images[0]]
    if len(others) > _MOST_EXTRA:
        raise InputError(
            f"The ONNX file has {len(others)} inputs beside its image; at most {_MOST_EXTRA} are read."
        )
    return images[0], others


def _channels(image: ValueInfoProto, graph: GraphProto) -> int | None:
    """As declared, or as the first convolution takes them."""
    declared: int = image.type.tensor_type.shape.dim[1].dim_value
    if declared:
        return declared
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[0] == image.name and node.input[1] in weights:
            groups = next((own.i for own in node.attribute if own.name == "group"), 1)
            return int(weights[node.input[1]].dims[1]) * groups
    return None


def _extra(value: ValueInfoProto, image: ValueInfoProto) -> ExtraInput:
    """An input beside the image, its axes known by the image's."""
    tensor = value.type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT or not tensor.HasField("shape"):
        raise InputError(f"The input {shown(value.name)} is no float tensor: give it a number with --pin.")
    axes = image.type.tensor_type.shape.dim
    named = ((0, BATCH), (2, HEIGHT), (3, WIDTH))
    names = {axes[axis].dim_param: name for axis, name in named if axes[axis].dim_param}
    shape: list[int | str] = []
    for axis in tensor.shape.dim:
        if not axis.dim_value and axis.dim_param not in names:
            raise InputError(
                f"The input {shown(value.name)} has an axis {shown(axis.dim_param)} that is none of the image's: "
                "nothing tells how long it is."
            )
        shape.append(axis.dim_value or names[axis.dim_param])
    return ExtraInput(value.name, tuple(shape))
