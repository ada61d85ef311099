"""Memory that ran out, however the library that asked for it says so."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator

from tlcconvert.errors import ConversionError

_SAID = re.compile(
    r"not enough memory|out of memory|can(?:not|'t) allocate memory|failed to allocate memory|unable to allocate|"
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


@contextlib.contextmanager
def memory_named() -> Iterator[None]:
    """Lets memory that ran out be told from a network that cannot be converted.

    Much of a conversion takes an error of the network for its answer: that it does not accept a size, or that a
    way to capture it is none.

    Raises:
        OutOfMemory: in place of any error that comes from, or quotes, an allocation that failed.
    """
    try:
        yield
    except ConversionError as error:
        if is_out_of_memory(error) or _SAID.search(str(error)):
            raise OutOfMemory(error) from error
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(error) from error
        raise


def refuse_left_out(notes: Iterable[str]) -> None:
    """Raises OutOfMemory where a comparison was left out because memory ran out."""
    for note in notes:
        if _SAID.search(note):
            raise OutOfMemory(MemoryError(note))


def _asked_for(text: str) -> str:
    found = _AMOUNT.search(text)
    return f" ({found.group(1)} were asked for at once)" if found else ""
