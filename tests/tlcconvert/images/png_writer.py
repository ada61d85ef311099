"""Writes PNGs of 16 bits a value, and the beginning of PNGs of any size, by the format's own rules."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def write_png16(path: Path, values: NDArray[np.uint16]) -> None:
    """[H, W, 1, 2, 3 or 4]: gray, gray and alpha, RGB, RGBA."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = _beginning(height, width, 16, _COLOR_TYPES[channels])
    path.write_bytes(header + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b""))


def write_beginning(path: Path, height: int, width: int) -> None:
    """An RGB image without its pixels."""
    path.write_bytes(_beginning(height, width, 8, 2) + _chunk(b"IDAT", b"") + _chunk(b"IEND", b""))


def _beginning(height: int, width: int, depth: int, color_type: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
