"""Reads an ONNX file and brings it into one form: complete, in order, in float32, without functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from tlcconvert.errors import InputError
from tlcconvert.machine.regular_file import open_regular
from tlcconvert.onnx_input.reading.external_data import bytes_beside, take_in
from tlcconvert.onnx_input.reading.float32 import in_float32
from tlcconvert.onnx_input.reading.local_functions import without_functions
from tlcconvert.onnx_input.reading.order import graphs_of, put_in_order
from tlcconvert.shown_name import shown

OPSETS = range(6, 25)
_LARGEST = 2**31 - 1
_IR_VERSION_FIELD = 8
_OWN_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class ModelFile:
    """A model as it is read.

    Attributes:
        model: nodes in order, weights inside, float32 instead of half precision, no local functions.
        opsets: version of every domain; ONNX's own is ``""``.
        was_half: whether the file has float16 or bfloat16 in it.
    """

    model: ModelProto
    opsets: dict[str, int]
    was_half: bool


def is_onnx(path: Path, stream: BinaryIO) -> bool:
    """Whether the file at ``path``, open as ``stream``, is called an ONNX file or begins with its version."""
    stream.seek(0)
    start = stream.read(2)
    return path.suffix.lower() == ".onnx" or (
        len(start) == 2 and start[0] == _IR_VERSION_FIELD and 3 <= start[1] <= 32
    )


def read_model(path: Path) -> ModelFile:
    """The model in the file at ``path``.

    Raises:
        InputError: it is damaged, written by this tool, of an opset that is not read, or refers to what it may not.
    """
    return in_one_form(_parsed(path), path)


def weight_bytes(path: Path) -> int:
    """How much memory the weights of the file at ``path`` take in float32, at most.

    Raises:
        InputError: as :func:`read_model`.
    """
    model = _parsed(path)
    return 2 * (model.ByteSize() + bytes_beside(model, path))


def _parsed(path: Path) -> ModelProto:
    with open_regular(path) as stream:
        if stream.seek(0, 2) > _LARGEST:
            raise InputError(
                f"{shown(path)} has more than 2 GiB: weights of that size go to a file beside it."
            )
        stream.seek(0)
        content = stream.read()
    try:
        model = ModelProto.FromString(content)
    except Exception as error:
        raise InputError(f"{shown(path)} is damaged or no ONNX file: {type(error).__name__}.") from error
    if not model.graph.node:
        raise InputError(f"{shown(path)} is damaged or no ONNX file: it has no nodes.")
    if any(entry.key == "tlcconvert_version" for entry in model.metadata_props):
        raise InputError(
            f"{shown(path)} is already converted: it was written by tlcconvert. Convert its source."
        )
    return model


def in_one_form(model: ModelProto, path: Path) -> ModelFile:
    """``model``, which may be changed, as a :class:`ModelFile`; see :func:`read_model`."""
    opsets = {"" if own.domain in _OWN_DOMAINS else own.domain: own.version for own in model.opset_import}
    version = opsets.get("", 0)
    if version not in OPSETS:
        raise InputError(f"{shown(path)} is of opset {version}; {OPSETS[0]} to {OPSETS[-1]} are read.")
    if model.graph.sparse_initializer:
        raise InputError(f"{shown(path)} has sparse weights, which are not read.")
    take_in(model, path)
    model = without_functions(model)
    put_in_order(model.graph)
    try:
        was_half = in_float32(model)
    except Exception as error:
        raise InputError(f"{shown(path)} is damaged: its weights do not have the size it says.") from error
    return ModelFile(model, opsets, was_half)


def every_node(graph: GraphProto) -> Iterator[NodeProto]:
    """The nodes of ``graph`` and of the graphs in it."""
    for node in graph.node:
        yield node
        for inner in graphs_of(node):
            yield from every_node(inner)


def kind_of(node: NodeProto) -> str:
    """The operator of ``node``, with its domain where that is not ONNX's own."""
    return node.op_type if node.domain in _OWN_DOMAINS else f"{node.domain}.{node.op_type}"


def counted(names: Iterator[str] | list[str]) -> str:
    """``names`` with how often each occurs, for a sentence."""
    return ", ".join(f"{shown(name)} ({count}x)" for name, count in Counter(names).most_common())


def is_image(value: onnx.ValueInfoProto) -> bool:
    """Whether ``value`` is declared as a float tensor of four axes."""
    tensor = value.type.tensor_type
    return tensor.elem_type == TensorProto.FLOAT and len(tensor.shape.dim) == 4
