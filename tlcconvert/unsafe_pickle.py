"""Names the code a pickle would run, without running it.

A pickle is a small program: it imports globals by name and calls them. Reading it with a machine whose
imports all yield an inert stand-in shows every name it asks for and executes nothing of it.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from torch import _weights_only_unpickler

_PYTHON_3_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_LEGACY_PARTS = 4  # magic number, protocol version, system information, object


def unsafe_globals(path: Path) -> list[str]:
    """The globals the checkpoint at ``path`` would import that ``torch.load(weights_only=True)`` forbids.

    Reads both the zip format of ``torch.save`` and the older plain one. Names are sorted; a file that is cut
    off gives those found up to the cut.
    """
    named: set[str] = set()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith("/data.pkl"):
                    with archive.open(member) as stream:
                        _collect(stream, named, pickles=1)
    else:
        with path.open("rb") as stream:
            _collect(stream, named, pickles=_LEGACY_PARTS)
    return sorted(named - _allowed())


def _collect(stream: IO[bytes], named: set[str], pickles: int) -> None:
    try:
        for _ in range(pickles):
            _InertUnpickler(stream, named).load()
    except Exception:
        # A damaged or hostile stream ends here; what it asked for before that is what a reader needs to know.
        return


def _allowed() -> set[str]:
    allowed: set[str] = set(_weights_only_unpickler._get_allowed_globals())
    return allowed | set(_weights_only_unpickler._get_user_allowed_globals())


class _Inert:
    """Stands in for every imported object, call result and persistent object."""

    def __new__(cls, *_: Any, **__: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> _Inert:
        return _Inert()

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass

    def add(self, value: Any) -> None:
        pass


class _InertUnpickler(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], named: set[str]) -> None:
        super().__init__(stream)
        self._named = named

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        self._named.add(f"{_PYTHON_3_NAMES.get(module, module)}.{name}")
        return _Inert

    def persistent_load(self, pid: Any) -> Any:
        # The old format stores classes as persistent objects, and those are instantiated.
        return _Inert
