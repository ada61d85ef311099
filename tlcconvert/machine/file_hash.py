"""The sha256 of a file too large to hold in memory."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

_BLOCK = 1 << 20


def sha256_of(stream: BinaryIO) -> str:
    """Hexadecimal sha256 of everything left in ``stream``."""
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()
