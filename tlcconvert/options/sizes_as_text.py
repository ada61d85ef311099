"""Sizes of images as they are typed: 256, 256x384, 2x720x1280."""

from __future__ import annotations

import re

from tlcconvert.errors import InputError
from tlcconvert.options.numbers_as_text import PIXELS
from tlcconvert.shown_name import shown

Size = tuple[int, int] | tuple[int, int, int]
"""(height, width) or (batch, height, width) of an image, in pixels."""


def as_train_size(text: str) -> tuple[int, int]:
    """``"256"`` or ``"256x384"`` as (height, width).

    Raises:
        InputError: it is neither.
    """
    match = re.fullmatch(rf"(-?{PIXELS})(?:x(-?{PIXELS}))?", text.strip())
    if match is None:
        raise InputError(
            f"A train size is a number of pixels such as 256, or HxW such as 256x384, not {shown(text)}."
        )
    height = int(match.group(1))
    return height, int(match.group(2) or height)


def as_static_size(text: str) -> tuple[int, int]:
    """``"720x1280"`` as (height, width).

    Raises:
        InputError: it is no size, or has a batch.
    """
    size = _size(text)
    if len(size) != 2:
        raise InputError(f"A static size is HxW such as 720x1280, not {shown(text)}: its batch is 1.")
    return size


def as_sizes(text: str) -> tuple[Size, ...]:
    """``"720x1280,2x64x64"`` as sizes.

    Raises:
        InputError: one of them is no size.
    """
    return tuple(map(_size, text.split(",")))


def _size(text: str) -> Size:
    match = re.fullmatch(rf"(?:({PIXELS})x)?({PIXELS})x({PIXELS})", text.strip())
    if match is None:
        raise InputError(f"A size is HxW such as 720x1280, or NxHxW such as 2x720x1280, not {shown(text)}.")
    batch, height, width = match.groups()
    return (int(height), int(width)) if batch is None else (int(batch), int(height), int(width))
