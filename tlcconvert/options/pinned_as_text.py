"""Numbers for inputs of a file as they are typed: alpha=1,beta=0.5."""

from __future__ import annotations

from tlcconvert.errors import InputError
from tlcconvert.options.numbers_as_text import decimal_number
from tlcconvert.shown_name import shown

Pinned = tuple[tuple[str, float], ...]
"""Names of inputs, each with its number."""


def as_pinned(text: str) -> Pinned:
    """``"alpha=1,beta=0.5"`` as pairs.

    Raises:
        InputError: a part has no name or no number, or a name is given twice.
    """
    pairs = []
    for part in text.split(","):
        name, equals, number = part.rpartition("=")
        if not equals or not name.strip():
            raise InputError(f"An input is pinned as NAME=NUMBER such as alpha=1, not {shown(part)}.")
        pairs.append((name.strip(), decimal_number(number.strip())))
    if len(dict(pairs)) != len(pairs):
        raise InputError(f"An input is pinned twice: {shown(text)}.")
    return tuple(pairs)
