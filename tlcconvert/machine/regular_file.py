"""Opens a file that a person named, if it is one: a pipe, a device or a folder is refused and never waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from tlcconvert.errors import InputError
from tlcconvert.machine.file_hash import sha256_of
from tlcconvert.shown_name import shown

_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFDIR: "a directory; name the checkpoint file in it",
    stat.S_IFIFO: "a pipe, not a file; write what comes out of it to a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
    stat.S_IFSOCK: "a socket, not a file",
}


def sha256_of_file(path: Path) -> str:
    """The sha256 of the file at ``path``, hexadecimal.

    Raises:
        InputError: it is missing, empty, unreadable or no regular file, each told apart.
    """
    try:
        with open_regular(path) as stream:
            digest = sha256_of(stream)
            size = stream.tell()
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {error.strerror or error}.") from error
    if size == 0:
        raise InputError(f"{shown(path)} is empty.")
    return digest


def open_regular(path: Path) -> BinaryIO:
    """``path``, open for reading.

    Raises:
        InputError: it is missing, unreadable or no regular file.
    """
    try:
        _refuse_other_kinds(path, path.stat().st_mode)
        # A pipe that takes the place of the file in between must not block either.
        stream = os.fdopen(os.open(path, os.O_RDONLY | _WITHOUT_WAITING), "rb")
    except FileNotFoundError:
        raise InputError(f"{shown(path)} does not exist.") from None
    except PermissionError:
        raise InputError(f"{shown(path)} cannot be read: permission denied.") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{shown(path)} cannot be read: {getattr(error, 'strerror', '') or error}."
        ) from error
    try:
        _refuse_other_kinds(path, os.fstat(stream.fileno()).st_mode)
    except InputError:
        stream.close()
        raise
    return stream


def _refuse_other_kinds(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "not a regular file")
        raise InputError(f"{shown(path)} is {kind}.")
