"""Standard output and error that never fail: what cannot be printed is left out, and the work goes on.

A full disk, a reader that has gone (``| head -1``), a closed descriptor or a locale without the characters is no
reason to lose a conversion, or to call one failed that was written.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any, TextIO


def secure_standard_streams() -> None:
    """Replaces ``sys.stdout`` and ``sys.stderr`` by streams that drop what cannot be written.

    Descriptors 0 to 2 that are closed are opened on nothing, or the next file opened would take their place and
    get what is printed. ``COLUMNS=0`` is no width: nothing at all would be printed to it.
    """
    _open_closed_descriptors()
    if os.environ.get("COLUMNS") == "0":
        del os.environ["COLUMNS"]
    sys.stdout = _secured(sys.stdout, 1)
    sys.stderr = _secured(sys.stderr, 2)


def _open_closed_descriptors() -> None:
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            return
        os.set_inheritable(descriptor, True)


def _secured(stream: TextIO | None, descriptor: int) -> TextIO:
    if os.name == "nt" and isinstance(stream, io.TextIOWrapper):
        # A console of Windows takes text, not bytes.
        stream.reconfigure(errors="backslashreplace")
        return stream
    raw = _Dropping(descriptor, "w", closefd=False)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    is_live = descriptor == 2 or raw.isatty()
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=is_live
    )


class _Dropping(io.FileIO):
    """A descriptor to which writing always succeeds."""

    def write(self, data: Any) -> int:
        try:
            written = super().write(data)
            while written is None:  # a full pipe that does not block
                select.select([], [self], [])
                written = super().write(data)
        except OSError:
            return len(data)
        return written
