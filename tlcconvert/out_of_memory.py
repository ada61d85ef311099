"""Memory that ran out, however the library that asked for it says so."""

from __future__ import annotations

import re

from tlcconvert.errors import ConversionError

_SAID = re.compile(
    r"not enough memory|out of memory|cannot allocate memory|failed to allocate memory|unable to allocate|"
    r"bad_alloc|bad allocation|failed to map segment",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"allocate (?:memory for requested buffer of size )?([0-9]+(?:\.[0-9]+)?(?: bytes| [KMGT]iB)?)"
)


class OutOfMemory(ConversionError):
    """Memory ran out; says how much was asked for, where that is known."""

    def __init__(self, error: BaseException) -> None:
        detail = _asked_for(str(error))
        super().__init__(
            f"There is not enough memory for this conversion{detail}: verify at smaller sizes "
            "(--verify-sizes), or use a machine with more."
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error``, or one it came from, is an allocation that failed."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError):
            return True
        if isinstance(seen, (RuntimeError, OSError, ImportError)) and _SAID.search(str(seen)):
            return True
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return False


def raise_if_out_of_memory(error: BaseException) -> None:
    """For code that takes every error of a network for a refusal: this one is none.

    Raises:
        OutOfMemory: ``error`` is an allocation that failed.
    """
    if is_out_of_memory(error):
        raise OutOfMemory(error) from error


def _asked_for(text: str) -> str:
    found = _AMOUNT.search(text)
    return f" ({found.group(1)} were asked for at once)" if found else ""
