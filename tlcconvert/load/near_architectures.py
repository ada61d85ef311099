"""Which registered architectures a state dict nearly is: how many of the keys each one asks for it has."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from spandrel import ArchRegistry

_NEAR = 0.5
_MOST = 3


def near_architectures(keys: Collection[str], registry: ArchRegistry) -> list[str]:
    """Names of the architectures of ``registry`` that find at least half of their keys, the nearest first."""
    present = set(keys)
    scores = {}
    for support in registry.architectures():
        condition = getattr(support.architecture, "_detect", None)
        if hasattr(condition, "_keys"):
            scores[support.architecture.name] = _share(condition, present)
    near = [name for name in scores if scores[name] >= _NEAR]
    return sorted(near, key=lambda name: -scores[name])[:_MOST]


def _share(condition: Any, present: set[str]) -> float:
    """Share of a ``spandrel.util.KeyCondition`` that ``present`` fulfils, between 0 and 1."""
    if isinstance(condition, str):
        return float(condition in present)
    shares = [_share(part, present) for part in condition._keys]
    if not shares:
        return 0.0
    return max(shares) if condition._kind == "any" else sum(shares) / len(shares)
