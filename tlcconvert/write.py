"""Writing a model so that the output either is complete or does not change."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import onnx

from tlcconvert.errors import InputError
from tlcconvert.external_weights import ExternalWeights, referring_to
from tlcconvert.file_hash import sha256_of

_PROTOBUF_LIMIT = 2**31 - 1


def check_writable(path: Path) -> None:
    """Raises InputError where a file could not be written to ``path``; leaves no trace."""
    folder = path.parent
    if path.is_dir():
        raise InputError(f"{path} is a directory: name the output file.")
    if not folder.is_dir():
        raise InputError(f"The directory {folder} does not exist: create it first.")
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise InputError(f"Cannot write to {folder}: {error.strerror}.") from error


def write_model(model: onnx.ModelProto, path: Path, weights: ExternalWeights | None = None) -> int:
    """Writes ``model`` to a temporary name and renames it to ``path``; returns the size in bytes.

    Weights that do not fit into one file go to a second one beside it, named after the model and its own content:
    it is complete before the model that refers to it appears, and a model written before keeps its own.

    Raises:
        InputError: the directory cannot be written to, or one file cannot hold the model.
    """
    check_writable(path)
    if weights is None:
        if model.ByteSize() > _PROTOBUF_LIMIT:
            raise InputError(f"The model needs {model.ByteSize()} bytes; one ONNX file holds at most 2 GiB.")
        size = write_bytes(model.SerializeToString(deterministic=True), path)
        _remove_other_data(path, None)
        return size
    with weights.data.open("rb") as stream:
        data = path.with_name(f"{path.name}.{sha256_of(stream)[:16]}.data")
    existed = data.exists()
    size = _write(data, lambda file: _copy(weights.data, file))
    try:
        referring = referring_to(model, data.name)
        size += write_bytes(referring.SerializeToString(deterministic=True), path)
    except BaseException:
        if not existed:
            data.unlink(missing_ok=True)
        raise
    _remove_other_data(path, data)
    return size


def _copy(source: Path, file: BinaryIO) -> None:
    with source.open("rb") as stream:
        shutil.copyfileobj(stream, file, 1 << 22)


def _remove_other_data(path: Path, data: Path | None) -> None:
    """Removes what an earlier model of the same name referred to."""
    pattern = re.compile(re.escape(path.name) + r"\.[0-9a-f]{16}\.data")
    for other in path.parent.iterdir():
        if pattern.fullmatch(other.name) and other != data:
            other.unlink(missing_ok=True)


def write_bytes(content: bytes, path: Path) -> int:
    """Writes ``content`` to a temporary name and renames it to ``path``; returns its length.

    Raises:
        InputError: the directory cannot be written to.
    """
    return _write(path, lambda file: file.write(content))


def _write(path: Path, fill: Callable[[BinaryIO], object]) -> int:
    """Lets ``fill`` write a temporary file and renames it to ``path``; returns its length in bytes."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(f"Cannot write to {path.parent}: {error.strerror}.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
            length = file.tell()
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise InputError(f"Cannot write {path}: {error.strerror}.") from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return length


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
