"""One writer at a time in a folder: several files that belong together are given their names under a lock."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tlcconvert.errors import InputError
from tlcconvert.shown_name import shown

_LONGEST_WAIT = 60.0
_STEP = 0.02


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of ``folder``, which leaves no file behind; no lock where the system has none for folders.

    Raises:
        InputError: another process has held it for a minute.
    """
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        until = time.monotonic() + _LONGEST_WAIT
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise InputError(
                        f"Another process has been writing to {shown(folder)} for a minute: try again later."
                    ) from None
                time.sleep(_STEP)
                continue
            except OSError:
                pass
            break
        yield
    finally:
        os.close(handle)
