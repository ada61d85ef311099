"""A file that has no name until it is complete, so that nothing is left of it if its process dies first."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType

from tlcconvert.machine.temporary_paths import forget, remember


class UnnamedFile:
    """A new file in ``folder``, which :meth:`publish` gives a name; without that it goes when it is closed.

    Where the system cannot make files without a name it has a hidden, temporary one.

    Raises:
        OSError: no file can be made in the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary: Path | None = None
        handle = _without_name(folder)
        if handle is None:
            self._temporary = temporary_path(folder)
            handle = os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | _BINARY, 0o666)
        self.stream = os.fdopen(handle, "w+b")

    def complete(self, destination: Path) -> int:
        """Brings what was written to the disk, with the mode of the file it is to replace; returns its length.

        Raises:
            OSError: the disk has no room.
        """
        self.stream.flush()
        handle = self.stream.fileno()
        if hasattr(os, "fchmod") and destination.exists():
            replaced = destination.stat()
            with contextlib.suppress(OSError):  # only root gives files away
                os.fchown(handle, replaced.st_uid, replaced.st_gid)
            os.fchmod(handle, stat.S_IMODE(replaced.st_mode))
        os.fsync(handle)
        return os.fstat(handle).st_size

    def publish(self, destination: Path) -> None:
        """Gives the file the name ``destination``, at once and in place of any file of that name.

        Raises:
            OSError: the name cannot be given.
        """
        if self._temporary is None:
            self._temporary = temporary_path(self._folder)
            handle = self.stream.fileno()
            # A directory descriptor, though unused, makes Python follow the link.
            os.link(f"/proc/self/fd/{handle}", self._temporary, src_dir_fd=handle, follow_symlinks=True)
        if os.name == "nt":
            self.stream.close()
        os.replace(self._temporary, destination)

    def is_at(self, destination: Path) -> bool:
        """Whether this file is what is called ``destination``."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self.stream.fileno()), destination.stat())
        return False

    def __enter__(self) -> UnnamedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # what could not be written is not wanted either
            self.stream.close()
        if self._temporary is not None:
            remove_temporary(self._temporary)


_BINARY = getattr(os, "O_BINARY", 0)


def _without_name(folder: Path) -> int | None:
    if not hasattr(os, "O_TMPFILE"):
        return None
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666)
    except OSError:
        return None
    if os.path.exists(f"/proc/self/fd/{handle}"):
        return handle
    os.close(handle)
    return None


def temporary_path(folder: Path) -> Path:
    """A free hidden name in ``folder``, removed if the process is told to stop."""
    path = folder / f".tlcconvert-{secrets.token_hex(8)}"
    remember(path)
    return path


def remove_temporary(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    forget(path)
