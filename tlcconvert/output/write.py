"""Writing files so that all of them are complete, or none has changed.

Every file is written whole before the first gets its name. Names are then given one after the other, under a lock
of the folder; where one cannot be given, the files that had the others come back.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import BinaryIO

import onnx

from tlcconvert.errors import InputError
from tlcconvert.lower.external_weights import ExternalWeights, referring_to
from tlcconvert.machine.file_hash import sha256_of
from tlcconvert.machine.folder_lock import locked
from tlcconvert.machine.unnamed_file import UnnamedFile, remove_temporary, temporary_path
from tlcconvert.output.output_paths import destination_of, is_same_file
from tlcconvert.shown_name import shown

_PROTOBUF_LIMIT = 2**31 - 1
_LONGEST_NAME = 255


@dataclass(frozen=True)
class Output:
    """A file to write: where, and what writes its content to a stream."""

    path: Path
    fill: Callable[[BinaryIO], object]


def check_writable(path: Path) -> None:
    """Raises InputError where a file could not be written to ``path``; leaves no trace."""
    destination = destination_of(path)
    try:
        with UnnamedFile(destination.parent):
            pass
    except OSError as error:
        raise InputError(f"Cannot write to {shown(destination.parent)}: {error.strerror}.") from error


def bytes_at(path: Path, content: bytes) -> Output:
    """``content`` as a file at ``path``."""
    return Output(path, lambda stream: stream.write(content))


def model_files(model: onnx.ModelProto, path: Path, weights: ExternalWeights | None = None) -> list[Output]:
    """The files of a model at ``path``: itself, and before it what it refers to.

    Weights that do not fit into one file go to a second one beside it, named after the model and its own content:
    a model written before keeps its own.

    Raises:
        InputError: one file cannot hold the model, or there is no place for it.
    """
    if weights is not None:
        destination = destination_of(path)
        with weights.data.open("rb") as stream:
            data = destination.with_name(_data_name(destination.name, sha256_of(stream)))
        referring = referring_to(model, data.name)
        return [Output(data, lambda stream: _copy(weights.data, stream)), _serialized(referring, path)]
    if model.ByteSize() > _PROTOBUF_LIMIT:
        raise InputError(f"The model needs {model.ByteSize()} bytes; one ONNX file holds at most 2 GiB.")
    return [_serialized(model, path)]


def write_bytes(content: bytes, path: Path) -> int:
    """Writes ``content`` to ``path``, see :func:`write_together`; returns its length."""
    return sum(write_together([bytes_at(path, content)]))


def write_together(outputs: Sequence[Output], written: Callable[[], None] = lambda: None) -> list[int]:
    """Writes every output or none; returns their lengths in bytes.

    A file keeps the mode of the one it replaces, and is written where a symbolic link points to. The data file of a
    model that is replaced goes with it.

    Args:
        written: called at the moment from which on nothing is undone.

    Raises:
        InputError: one cannot be written. What was there before is there still.
    """
    replacements: list[_Replacement] = []
    with contextlib.ExitStack() as stack:
        for output in outputs:
            with _said_of(output.path):
                destination = destination_of(output.path)
                file = stack.enter_context(UnnamedFile(destination.parent))
                output.fill(file.stream)
                replacements.append(_Replacement(output.path, destination, file, file.complete(destination)))
        for one, other in combinations(replacements, 2):
            if is_same_file(one.destination, other.destination):
                raise InputError(f"Two outputs are one file: {shown(one.path)} and {shown(other.path)}.")
        folders = {replacement.destination.parent for replacement in replacements}
        for folder in sorted({folder.stat().st_ino: folder for folder in folders}.values()):
            stack.enter_context(locked(folder))
        stale = {data for replacement in replacements for data in _data_of(replacement.destination)}
        _publish(replacements, written)
        for data in stale - {replacement.destination for replacement in replacements}:
            with contextlib.suppress(OSError):
                data.unlink()
    return [replacement.length for replacement in replacements]


@dataclass
class _Replacement:
    """A complete file on its way to its name, and the file that had the name before."""

    path: Path
    destination: Path
    file: UnnamedFile
    length: int
    before: Path | None = None

    def make(self) -> None:
        with _said_of(self.path):
            destination_of(self.path)
            self.file.publish(self.destination)

    def keep_before(self) -> None:
        """Gives what is to be replaced a second name."""
        if self.destination.exists():
            self.before = temporary_path(self.destination.parent)
            with _said_of(self.path):
                try:
                    os.link(self.destination, self.before)
                except OSError:  # not every file system has hard links
                    shutil.copy2(self.destination, self.before)

    def undo(self) -> None:
        if not self.file.is_at(self.destination):
            return
        with contextlib.suppress(OSError):
            if self.before is None:
                self.destination.unlink()
            else:
                os.replace(self.before, self.destination)


def _publish(replacements: Sequence[_Replacement], written: Callable[[], None]) -> None:
    """Gives every file its name, or none."""
    try:
        with contextlib.ExitStack() as undo:
            for replacement in replacements:
                undo.callback(replacement.undo)
                if len(replacements) > 1:
                    replacement.keep_before()
                replacement.make()
            written()
            undo.pop_all()
    finally:
        for replacement in replacements:
            if replacement.before is not None:
                remove_temporary(replacement.before)


@contextlib.contextmanager
def _said_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"Cannot write {shown(path)}: {error.strerror or error}.") from error


def _serialized(model: onnx.ModelProto, path: Path) -> Output:
    return Output(path, lambda stream: stream.write(model.SerializeToString(deterministic=True)))


def _copy(source: Path, file: BinaryIO) -> None:
    with source.open("rb") as stream:
        shutil.copyfileobj(stream, file, 1 << 22)


def _data_name(model_name: str, digest: str) -> str:
    """What the data file of a model is called: text, as a model has no other names, of a length files can have."""
    ending = f".{digest[:16]}.data"
    return _data_stem(model_name) + ending


def _data_stem(model_name: str) -> str:
    most = _LONGEST_NAME - len(".0123456789abcdef.data")
    return os.fsencode(model_name)[:most].decode("utf-8", errors="ignore")


def _data_of(destination: Path) -> set[Path]:
    """The data files beside the model at ``destination`` that are its own; empty where it is no such model."""
    pattern = re.compile(re.escape(_data_stem(destination.name)) + r"\.[0-9a-f]{16}\.data")
    with contextlib.suppress(OSError):
        beside = {entry for entry in destination.parent.iterdir() if pattern.fullmatch(entry.name)}
        if not beside or not destination.exists():
            return set()
        try:
            model = onnx.load(destination, load_external_data=False)
        except Exception:  # whatever was there is about to be replaced
            return set()
        named = {
            entry.value
            for tensor in model.graph.initializer
            for entry in tensor.external_data
            if entry.key == "location"
        }
        return {entry for entry in beside if entry.name in named}
    return set()
