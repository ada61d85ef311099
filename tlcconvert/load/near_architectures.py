"""Which registered architectures a state dict nearly is: how many of the keys each one asks for it has."""

from __future__ import annotations

from collections.abc import Collection

from spandrel import ArchRegistry

from tlcconvert.torch_internals.spandrel_registry import share_of_keys

_NEAR = 0.5
_MOST = 3


def near_architectures(keys: Collection[str], registry: ArchRegistry) -> list[str]:
    """Names of the architectures of ``registry`` that find at least half of their keys, the nearest first."""
    present = set(keys)
    scores = {}
    for support in registry.architectures():
        share = share_of_keys(support.architecture, present)
        if share is not None:
            scores[support.architecture.name] = share
    near = [name for name in scores if scores[name] >= _NEAR]
    return sorted(near, key=lambda name: -scores[name])[:_MOST]
