"""Values constant over batch and pixels: the vectors a form may be scaled, shifted or padded by.

Beside literals and parameters these are the fills a graph writes in its own way: ``expand`` of a bias to a
row of the image, ``copy`` of it into a slice, ``full`` and ``zeros_like``. Their extent may depend on the
image; their value does not.
"""

from __future__ import annotations

import torch
from torch import fx

from passes.arguments import END, ordered_arguments
from passes.simplify.exact_constants import ExactConstants

_aten = torch.ops.aten
_SAME_VALUE = {_aten.expand.default, _aten.clone.default, _aten.alias.default}
_FILLS = {
    _aten.zeros_like.default: 0.0,
    _aten.ones_like.default: 1.0,
    _aten.new_zeros.default: 0.0,
    _aten.new_ones.default: 1.0,
    _aten.zeros.default: 0.0,
    _aten.ones.default: 1.0,
}
_FILL_VALUE_AT = {_aten.full.default: 1, _aten.full_like.default: 1, _aten.new_full.default: 2}


class ChannelConstants:
    """Finds and remembers the per-channel value of nodes, as float64 [1] or [C]."""

    def __init__(self, constants: ExactConstants) -> None:
        self._constants = constants
        self._known: dict[fx.Node, torch.Tensor | None] = {}

    def __contains__(self, node: fx.Node) -> bool:
        """Whether ``node`` carries no activation: a constant, or a fill of which only the extent may vary."""
        return node in self._constants.nodes or self.get(node) is not None

    def get(self, value: object) -> torch.Tensor | None:
        """A literal or node per channel of [N, C, H, W]; None where it varies or depends on an input."""
        if isinstance(value, (int, float)):
            return torch.tensor([float(value)], dtype=torch.float64)
        if not isinstance(value, fx.Node):
            return None
        if value not in self._known:
            self._known[value] = self._found(value)
        return self._known[value]

    def _found(self, node: fx.Node) -> torch.Tensor | None:
        if node in self._constants.nodes:
            exact = self._constants.exact(node)
            return _per_channel(exact) if isinstance(exact, torch.Tensor) else None
        target = node.target
        if target in _FILLS:
            return torch.tensor([_FILLS[target]], dtype=torch.float64)
        if target in _FILL_VALUE_AT:
            return self.get(node.args[_FILL_VALUE_AT[target]])
        if target in _SAME_VALUE:
            return self._unless_channels_move(node, node.args[0])
        if target is _aten.copy.default or (
            target is _aten.slice_scatter.default and covers_everything(node)
        ):
            return self._unless_channels_move(node, node.args[1])
        return None

    def _unless_channels_move(self, node: fx.Node, source: object) -> torch.Tensor | None:
        value = self.get(source)
        if value is None or len(value) == 1:
            return value
        return value if node.meta["val"].dim() == 4 else None


def covers_everything(node: fx.Node) -> bool:
    """Whether a ``slice_scatter`` overwrites the whole of its first argument."""
    _, _, _, start, end, step = ordered_arguments(node)
    return start in (0, None) and end in (None, END) and step == 1


def _per_channel(constant: torch.Tensor) -> torch.Tensor | None:
    if constant.dim() > 4 or not constant.numel() or not constant.is_floating_point():
        return None
    whole = constant.reshape((1,) * (4 - constant.dim()) + tuple(constant.shape))
    first = whole[:1, :, :1, :1]
    return first.flatten() if torch.equal(first.expand_as(whole), whole) else None
