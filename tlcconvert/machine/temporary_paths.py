"""Which files and folders this process has made for a while, for the one who has to clear up in a hurry."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

_PATHS: set[Path] = set()


def remember(path: Path) -> None:
    """``path`` is about to be made, and goes with the process."""
    _PATHS.add(path)


def forget(path: Path) -> None:
    """``path`` is gone, or is to stay."""
    _PATHS.discard(path)


def remove_all() -> None:
    """Removes every path still remembered; what cannot be removed stays."""
    for path in list(_PATHS):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
        forget(path)
