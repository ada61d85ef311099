"""Reads safetensors: 8 bytes for the length of a JSON header, the header, the tensors one after the other."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from tlcconvert.errors import InputError
from tlcconvert.machine.regular_file import open_regular
from tlcconvert.shown_name import shown, shown_text

_LENGTH_BYTES = 8
_LONGEST_HEADER = 8 << 20


def is_safetensors(path: Path, stream: BinaryIO) -> bool:
    """Whether the file at ``path``, open as ``stream``, begins as safetensors do or is called so."""
    stream.seek(0)
    start = stream.read(_LENGTH_BYTES + 1)
    length = int.from_bytes(start[:_LENGTH_BYTES], "little")
    return path.suffix.lower() == ".safetensors" or (
        start[_LENGTH_BYTES:] == b"{" and length < stream.seek(0, 2)
    )


def safetensors_content(path: Path) -> dict[str, Tensor]:
    """The tensors in ``path`` by name.

    Raises:
        InputError: the header is damaged, or does not describe the bytes behind it, each exactly once.
    """
    from safetensors.torch import load_file

    with open_regular(path) as stream:
        _check_header(path, stream)
    try:
        return load_file(path)
    except Exception as error:
        raise InputError(
            f"{shown(path)} is damaged or not a safetensors file: {shown_text(error)}."
        ) from error


def _check_header(path: Path, stream: BinaryIO) -> None:
    """Refuses what the library accepts or takes too much memory for: names given twice, endless headers."""
    length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
    if length > _LONGEST_HEADER:
        raise InputError(
            f"{shown(path)} is damaged or not a safetensors file: its header takes more than {_LONGEST_HEADER} bytes."
        )
    try:
        header = json.loads(stream.read(length).decode(), object_pairs_hook=_named_once)
        rest = stream.seek(0, 2) - _LENGTH_BYTES - length
        for entry in (value for name, value in header.items() if name != "__metadata__"):
            if math.prod(max(extent, 1) for extent in entry["shape"]) > max(rest, 1) * 8:
                raise ValueError("a tensor has an absurd shape")
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{shown(path)} is damaged or not a safetensors file: {shown_text(error)}."
        ) from error


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("its header gives a name twice")
    return content
