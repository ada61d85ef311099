"""Weights beside the file: read from its own folder alone, and never through a link."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import GraphProto, ModelProto, TensorProto

from tlcconvert.errors import InputError
from tlcconvert.machine.regular_file import open_regular
from tlcconvert.onnx_input.reading.order import graphs_of
from tlcconvert.shown_name import shown


def tensors_in(graph: GraphProto) -> Iterator[TensorProto]:
    """Every tensor in ``graph`` and the graphs in it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors
        for inner in graphs_of(node):
            yield from tensors_in(inner)


def take_in(model: ModelProto, path: Path) -> None:
    """Moves weights that the file at ``path`` refers to into ``model``.

    Raises:
        InputError: a reference leads out of the folder or through a link, or to bytes that are not there.
    """
    for tensor in tensors_in(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            tensor.raw_data = _bytes_of(tensor, path)
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]


def bytes_beside(model: ModelProto, path: Path) -> int:
    """How large the files are together that the file at ``path`` refers to.

    Raises:
        InputError: as :func:`take_in`.
    """
    locations = {
        entry.value
        for tensor in tensors_in(model.graph)
        if tensor.data_location == TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    total = 0
    for location in locations:
        with open_regular(_inside(path.parent, location)) as stream:
            total += stream.seek(0, 2)
    return total


def _bytes_of(tensor: TensorProto, path: Path) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    file = _inside(path.parent, location)
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
    except ValueError:
        raise InputError(
            f"The place of weight {shown(tensor.name)} in {shown(location)} is no number."
        ) from None
    with open_regular(file) as stream:
        size = stream.seek(0, 2)
        length = size - offset if length == -1 else length
        if offset < 0 or length < 0 or offset + length > size:
            raise InputError(f"Weight {shown(tensor.name)} lies beyond the end of {shown(location)}.")
        stream.seek(offset)
        return stream.read(length)


def _inside(folder: Path, location: str) -> Path:
    parts = Path(location).parts
    if not parts or Path(location).is_absolute() or ".." in parts or "\\" in location or ":" in location:
        raise InputError(f"The ONNX file refers to {shown(location)}, which is not inside its own folder.")
    file = folder
    for part in parts:
        file = file / part
        if os.path.islink(file):
            raise InputError(
                f"The ONNX file refers to {shown(location)}, which is a link: put a copy in its place."
            )
    return file
