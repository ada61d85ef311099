"""Where output may go: judged before any work, so that no output destroys an input or another output."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import unicodedata
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from tlcconvert.errors import InputError
from tlcconvert.shown_name import shown

_MOST_LINKS = 40


def destination_of(path: Path) -> Path:
    """The file that is written when ``path`` is: behind every symbolic link, whether it exists yet or not.

    Raises:
        InputError: there is something at ``path`` that is no regular file, or no directory to write it to.
    """
    mode = None
    try:
        if _is_descriptor(path):
            raise InputError(f"{shown(path)} is no regular file: name another output.")
        destination = Path(os.path.realpath(path))
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            mode = destination.lstat().st_mode
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"Cannot write {shown(path)}: {reason}.") from error
    if mode is not None and stat.S_ISLNK(mode):
        raise InputError(f"Cannot write {shown(path)}: it is a symbolic link that leads back to itself.")
    if mode is not None and stat.S_ISDIR(mode):
        raise InputError(f"{shown(path)} is a directory: name the output file.")
    if mode is not None and not stat.S_ISREG(mode):
        raise InputError(f"{shown(path)} is no regular file, so it is not replaced: name another output.")
    if not destination.parent.is_dir():
        raise InputError(f"The directory {shown(destination.parent)} does not exist: create it first.")
    return destination


def refuse_taken_folder(path: Path | None) -> None:
    """Refuses a folder for files of no fixed names unless it is empty or can be made.

    Raises:
        InputError: something is in the way.
    """
    if path is None:
        return
    try:
        if not os.path.lexists(path):
            if not path.parent.is_dir():
                raise InputError(f"The directory {shown(path.parent)} does not exist: create it first.")
        elif any(path.iterdir()):
            raise InputError(f"{shown(path)} has files in it: name an empty folder.")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"Cannot write to {shown(path)}: {reason}.") from error


def _is_descriptor(path: Path) -> bool:
    """Whether ``path`` leads to an open descriptor, as ``/dev/stdout`` does, whose file may have no name."""
    place = path
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(place.parent)
        if folder.startswith("/proc/"):
            return True
        place = Path(folder) / place.name
        if not place.is_symlink():
            return False
        place = Path(folder) / place.readlink()
    return False


def refuse_conflicts(outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None]) -> None:
    """Refuses two outputs that are one file, and an output that is an input.

    Args:
        outputs, inputs: what each file is called in a message, e.g. ``"--json"``, and where it is.

    Raises:
        InputError: naming both.
    """
    writing = [(name, path) for name, path in outputs.items() if path is not None]
    reading = [(name, path) for name, path in inputs.items() if path is not None]
    pairs = [*combinations(writing, 2), *((out, source) for out in writing for source in reading)]
    for (name, path), (other, taken) in pairs:
        if is_same_file(path, taken):
            raise InputError(
                f"{name} {shown(path)} is the same file as {other} {shown(taken)}: give the output a name of its own."
            )


def is_same_file(path: Path, other: Path) -> bool:
    """Whether both name one file: by links of either kind, or by case where the file system ignores it."""
    try:
        first, second = (Path(os.path.realpath(name)) for name in (path, other))
        if first == second:
            return True
        if first.exists() and second.exists():
            return first.samefile(second)
        return (
            first.parent.is_dir()
            and second.parent.is_dir()
            and first.parent.samefile(second.parent)
            and _are_one_name(first.parent, first.name, second.name)
        )
    except (OSError, ValueError):
        return False  # what cannot be looked up is refused where it is opened


def _are_one_name(folder: Path, name: str, other: str) -> bool:
    """Whether the file system of ``folder`` takes two spellings for one name, tried out in a folder of its own."""
    if name == other:
        return True
    if _folded(name) != _folded(other):
        return False
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tlcconvert-") as trial:
        (Path(trial) / name).touch()
        return (Path(trial) / other).exists()


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
