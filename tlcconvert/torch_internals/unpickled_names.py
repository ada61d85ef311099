"""The names that ``torch.load(weights_only=True)`` takes from a pickle.

A file is read twice: its structure first, to bound what loading it may cost and to name what would run code, then
by ``torch.load``. Both must allow the same names, those that a person added too.

Stands on torch 2.14.1: ``torch/_weights_only_unpickler.py``, ``_get_user_allowed_globals`` (line 130) and
``_get_allowed_globals`` (line 174), and ``torch/_utils.py``, ``IMPORT_MAPPING`` and ``NAME_MAPPING`` (line 1121 on),
by which names of Python 2 are read.
"""

from __future__ import annotations

from torch import _weights_only_unpickler
from torch._utils import IMPORT_MAPPING, NAME_MAPPING

__all__ = ["IMPORT_MAPPING", "NAME_MAPPING", "allowed_by_the_person", "allowed_by_torch"]


def allowed_by_the_person() -> set[str]:
    """Names, e.g. ``"package.module.Class"``, that ``torch.serialization.add_safe_globals`` added in this process."""
    return set(_weights_only_unpickler._get_user_allowed_globals())


def allowed_by_torch() -> set[str]:
    """Names that PyTorch takes of itself."""
    return set(_weights_only_unpickler._get_allowed_globals())
