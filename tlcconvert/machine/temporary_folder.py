"""A temporary folder that goes with its process, however that ends.

A process that is killed removes nothing. Each folder holds a file its process has locked, so the next one tells
which folders belong to nobody, and removes them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path

from tlcconvert.machine.temporary_paths import forget, remember

_PREFIX = "tlcconvert-"
_LOCK = "in-use"


class TemporaryFolder:
    """A folder of its own for large files; it goes when the last reference to it does.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self) -> None:
        _remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        remember(self.path)
        lock = _locked(self.path / _LOCK, os.O_CREAT)
        if lock is not None:
            os.write(lock, b"1")  # a file without content may be about to be locked
        self._remove = weakref.finalize(self, _remove, self.path, lock)


def _remove(folder: Path, lock: int | None) -> None:
    # Not every system removes a file that is still mapped.
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)
    forget(folder)


def _remove_abandoned() -> None:
    """Removes the folders of processes that were killed."""
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            place = folder / _LOCK
            if folder.is_symlink() or not place.is_file() or not place.stat().st_size:
                continue
            lock = _locked(place, 0)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _locked(path: Path, flags: int) -> int | None:
    """A descriptor that holds the lock of ``path``; None where another has it, or there are no locks."""
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDWR | flags, 0o600)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
