"""Reads what ``torch.save`` wrote: looked through first, and only then handed to ``torch.load``.

    zip format     an archive: data.pkl, and one member per storage
    plain format   five pickles: magic number, version, system, object, storage keys; then per key
                   its number of elements in 8 bytes, and its bytes

What is found in the pickles must agree with the rest of the file: every storage is there, of the length that is
declared, with the checksum the archive gives, and every tensor lies within its storage.
"""

from __future__ import annotations

import io
import mmap
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from tlcconvert.errors import InputError
from tlcconvert.load.pickle_structure import Container, HostilePickle, PickleStructure, pickle_structure
from tlcconvert.load.zip_directory import ZipDirectory
from tlcconvert.machine.regular_file import open_regular
from tlcconvert.process_state.silence import silence
from tlcconvert.shown_name import shown, shown_text

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_LENGTH_BYTES = 8
_MOST_NAMES = 5


def checkpoint_content(path: Path, archive: ZipDirectory | None, *, allow_pickle: bool) -> Any:
    """The value saved at ``path``: tensors and plain containers, anything if ``allow_pickle``.

    Args:
        archive: the directory of the file, where it is in the zip format.

    Raises:
        InputError: the file is damaged, would run code that is not allowed, or cost more memory or time than any
            checkpoint does.
    """
    try:
        structures, mapped = _looked_through(path, archive, allow_pickle)
    except HostilePickle as hostile:
        raise InputError(f"{shown(path)} is damaged or no PyTorch checkpoint: {hostile}.") from None
    if not allow_pickle:
        _refuse_code(path, structures)
    return _loaded(path, mapped, allow_pickle)


def _looked_through(
    path: Path, archive: ZipDirectory | None, trusted: bool
) -> tuple[list[PickleStructure], bool]:
    """What the pickles of the file hold, and whether its storages may be mapped where they are."""
    with open_regular(path) as stream:
        length = stream.seek(0, io.SEEK_END)
        if archive is None:
            return _plain_structures(stream, length, trusted), False
    name = f"{archive.root}/data.pkl"
    if name not in archive.members:
        raise HostilePickle("it is a zip archive without data.pkl")
    structure = pickle_structure(io.BytesIO(archive.read(name)), length, trusted=trusted)
    if not trusted and structure.unsafe:
        return [structure], False
    for storage in structure.storages.values():
        member = archive.members.get(f"{archive.root}/data/{storage.key}")
        if member is None or member.size != storage.root_bytes:
            raise HostilePickle(f"storage {shown(storage.key)} is not of the length that is declared")
    return [structure], _may_be_mapped(archive)


def _may_be_mapped(archive: ZipDirectory) -> bool:
    order = archive.members.get(f"{archive.root}/byteorder")
    native = order is None or archive.read(order.name).decode(errors="replace") == sys.byteorder
    return native and all(member.is_stored for member in archive.members.values())


def _plain_structures(stream: BinaryIO, length: int, trusted: bool) -> list[PickleStructure]:
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        structures: list[PickleStructure] = []
        for expected in (_MAGIC, _VERSION, None, None, None):
            structures.append(pickle_structure(mapped, length, trusted=trusted))
            if structures[-1].unsafe and not trusted:
                return structures
            if expected is not None and structures[-1].content != expected:
                raise HostilePickle("it does not begin as torch.save begins a file")
        _check_plain_storages(mapped, length, structures[3], structures[4].content)
    return structures


def _check_plain_storages(mapped: mmap.mmap, length: int, structure: PickleStructure, keys: Any) -> None:
    """Raises unless the rest of the file is the storages of ``structure``, in the order of ``keys``."""
    names = keys.values if isinstance(keys, Container) else []
    if len(names) != len(structure.storages) or set(map(str, names)) != set(structure.storages):
        raise HostilePickle("its list of storages is not that of its tensors")
    position = mapped.tell()
    for name in names:
        storage = structure.storages[name]
        declared = int.from_bytes(mapped[position : position + _LENGTH_BYTES], sys.byteorder)
        if declared * storage.element_bytes != storage.root_bytes:
            raise HostilePickle(f"storage {shown(name)} is not of the length that is declared")
        position += _LENGTH_BYTES + storage.root_bytes
    if position != length:
        raise HostilePickle("it is cut off" if position > length else "something was appended to it")


def _refuse_code(path: Path, structures: Iterable[PickleStructure]) -> None:
    unsafe = sorted(set().union(*(structure.unsafe for structure in structures)))
    if unsafe:
        named = [shown_text(name, 100) for name in unsafe[:_MOST_NAMES]]
        more = [f"and {len(unsafe) - _MOST_NAMES} more"] if len(unsafe) > _MOST_NAMES else []
        raise InputError(
            f"{shown(path)} would run code to load ({', '.join([*named, *more])}): if you trust it, pass "
            "--allow-pickle (allow_pickle=True), else save its state dict alone."
        )
    if any(structure.unread for structure in structures):
        raise InputError(
            f"{shown(path)} is written in a pickle protocol that is read only with --allow-pickle "
            "(allow_pickle=True): save it in the protocol torch.save uses by itself."
        )


def _loaded(path: Path, mapped: bool, allow_pickle: bool) -> Any:
    try:
        with silence():
            return torch.load(path, map_location="cpu", weights_only=not allow_pickle, mmap=mapped)
    except Exception as error:
        if allow_pickle and isinstance(error, (ImportError, AttributeError)):
            raise InputError(
                f"{shown(path)} needs Python code that is not here ({shown_text(error)}): run where that module "
                "can be imported."
            ) from error
        raise InputError(f"{shown(path)} is truncated, damaged or not a PyTorch checkpoint.") from error
