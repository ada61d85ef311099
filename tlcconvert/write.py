"""Writing a model so that the output either is complete or does not change."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import onnx

from tlcconvert.errors import InputError

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


def write_model(model: onnx.ModelProto, path: Path) -> int:
    """Writes ``model`` to a temporary name and renames it to ``path``; returns the size in bytes.

    Raises:
        InputError: the directory cannot be written to, or the model exceeds what one protobuf file holds.
    """
    check_writable(path)
    if model.ByteSize() > _PROTOBUF_LIMIT:
        raise InputError(f"The model needs {model.ByteSize()} bytes; one ONNX file holds at most 2 GiB.")
    return write_bytes(model.SerializeToString(deterministic=True), path)


def write_bytes(content: bytes, path: Path) -> int:
    """Writes ``content`` to a temporary name and renames it to ``path``; returns its length.

    Raises:
        InputError: the directory cannot be written to.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(f"Cannot write to {path.parent}: {error.strerror}.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise InputError(f"Cannot write {path}: {error.strerror}.") from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return len(content)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
