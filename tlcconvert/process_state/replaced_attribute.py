"""An attribute that is replaced as long as any thread needs it to be.

Where each thread kept what it found and put it back, two conversions at a time could end with the replacement left
for good: the second finds that of the first, and is the last to put back what it found.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_ABSENT = object()
_LOCK = threading.Lock()


@dataclass
class _Replaced:
    original: Any
    inside: int = 0


_replaced: dict[tuple[int, str], _Replaced] = {}


@contextmanager
def replaced(owner: Any, name: str, replacement: Any) -> Iterator[None]:
    """While active in at least one thread, ``owner.name`` is ``replacement``; after the last, what it was before.

    Every thread sees the replacement, so it must do what the original does in those that are not inside. What
    someone else assigns meanwhile stays.

    Args:
        owner: a module or a class; an attribute that it inherits or does not have is removed again.
        replacement: the same for every caller.
    """
    key = (id(owner), name)
    with _LOCK:
        if key not in _replaced:
            _replaced[key] = _Replaced(vars(owner).get(name, _ABSENT))
            setattr(owner, name, replacement)
        _replaced[key].inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _replaced[key].inside -= 1
            if _replaced[key].inside == 0:
                _put_back(owner, name, replacement, _replaced.pop(key).original)


def _put_back(owner: Any, name: str, replacement: Any, original: Any) -> None:
    if vars(owner).get(name) is not replacement:
        return
    if original is _ABSENT:
        delattr(owner, name)
    else:
        setattr(owner, name, original)
