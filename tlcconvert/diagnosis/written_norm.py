"""Whether a variance scales pixels as that of a norm does, whose author wrote it out.

y = (x - mean) / sqrt(var + eps)        the variance divides pixels: a norm with gain 1 / sqrt(var + eps)
s = sqrt(var) + mean                    a contrast, which a squeeze path reads: no norm
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

_ATEN, _TLC = torch.ops.aten, torch.ops.tlc
_SAME_VALUES: frozenset[Any] = frozenset(
    {
        _ATEN.sqrt.default,
        _ATEN.clamp.default,
        _ATEN.clamp_min.default,
        _ATEN.view.default,
        _ATEN.reshape.default,
        _ATEN.expand.default,
        _TLC.replicate.default,
    }
)
"""What stands between a variance and a division: a root, bounds, and what brings it to the pixels."""


def norm_epsilon(variance: fx.Node) -> float | None:
    """What is added to ``variance`` where something is divided by its root; None where nothing is."""
    return _epsilon(variance, 0.0)


def _epsilon(node: fx.Node, added: float) -> float | None:
    found = (_of_reader(reader, node, added) for reader in node.users)
    return next((epsilon for epsilon in found if epsilon is not None), None)


def _of_reader(reader: fx.Node, node: fx.Node, added: float) -> float | None:
    target, second = reader.target, reader.args[1] if len(reader.args) > 1 else None
    if target in (_ATEN.rsqrt.default, _ATEN.reciprocal.default):
        return added
    if target is _ATEN.div.Tensor and second is node:
        return added
    if target is _ATEN.pow.Tensor_Scalar and isinstance(second, (int, float)) and second < 0:
        return added
    if target in (_ATEN.add.Tensor, _ATEN.add.Scalar) and isinstance(second, (int, float)):
        return _epsilon(reader, added + second)
    is_root = target is _ATEN.pow.Tensor_Scalar and second == 0.5
    return _epsilon(reader, added) if is_root or target in _SAME_VALUES else None
