"""What spandrel's registry knows of an architecture and does not tell.

- Which keys it looks for in a state dict: it answers yes or no to a whole one, and a person whose file was refused
  wants to know what it nearly is.
- How it calls a network: a descriptor is called on whole images in one dtype and crops and clamps what it gets; the
  converted network is the call inside.

Stands on spandrel 0.4.2: ``spandrel/util/__init__.py``, ``KeyCondition`` (``_keys``, ``_kind``, lines 21 and 22), and
``spandrel/__helpers/model_descriptor.py``: ``Architecture._detect`` (line 55), ``_call_fn`` (lines 439 and 523).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from spandrel import Architecture, ModelDescriptor
from torch import Tensor


def share_of_keys(architecture: Architecture[Any], present: Collection[str]) -> float | None:
    """Share of the keys ``architecture`` looks for that are ``present``, 0 to 1; None where it does not look so."""
    condition = getattr(architecture, "_detect", None)
    return _share(condition, present) if hasattr(condition, "_keys") else None


def _share(condition: Any, present: Collection[str]) -> float:
    """Share of a ``spandrel.util.KeyCondition`` that ``present`` fulfils, between 0 and 1."""
    if isinstance(condition, str):
        return float(condition in present)
    shares = [_share(part, present) for part in condition._keys]
    if not shares:
        return 0.0
    return max(shares) if condition._kind == "any" else sum(shares) / len(shares)


def call_of(descriptor: ModelDescriptor[Any]) -> Callable[[Any, Tensor], Tensor]:
    """The function (network, image) by which the registry calls the network."""
    return descriptor._call_fn
