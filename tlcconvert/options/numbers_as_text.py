"""Numbers as they are typed: ASCII digits, and no more of them than anything has a use for.

Python's own reading takes the digits of every script, underscores between them, and refuses 5,000 of them with an
error of its own.
"""

from __future__ import annotations

import math
import re

from tlcconvert.errors import InputError
from tlcconvert.shown_name import shown

MOST_DIGITS = 18
"""Of a whole number; all such numbers fit an int64."""

PIXELS = rf"[0-9]{{1,{MOST_DIGITS}}}"
"""A pattern for a number of pixels."""

_WHOLE = re.compile(rf"-?{PIXELS}")
_DECIMAL = re.compile(
    rf"-?({PIXELS}(\.[0-9]{{0,{MOST_DIGITS}}})?|\.[0-9]{{1,{MOST_DIGITS}}})(e[+-]?[0-9]{{1,3}})?",
    re.IGNORECASE,
)


def whole_number(text: object) -> int:
    """``"12"`` or ``"-1"`` as a number.

    Raises:
        InputError: it is none.
    """
    if not _WHOLE.fullmatch(str(text)):
        raise InputError(f"{shown(text)} is not a whole number of at most {MOST_DIGITS} digits.")
    return int(str(text))


def positive_number(text: object) -> int:
    """A :func:`whole_number` of at least 1."""
    number = whole_number(text)
    if number < 1:
        raise InputError(f"{number} is not at least 1.")
    return number


def decimal_number(text: object) -> float:
    """``"1.5"`` as a number.

    Raises:
        InputError: it is none.
    """
    if not _DECIMAL.fullmatch(str(text)):
        raise InputError(f"{shown(text)} is not a number such as 1.5.")
    number = float(str(text))
    if math.isinf(number):
        raise InputError(f"{shown(text)} is too large.")
    return number
