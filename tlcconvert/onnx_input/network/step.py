"""One node of a file as a module, so that exports record its name as the place of what it computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from tlcconvert.onnx_input.operators import OPERATORS
from tlcconvert.onnx_input.operators.registry import Operator
from tlcconvert.onnx_input.values.node import Node, Value
from tlcconvert.onnx_input.values.quotient import Quotient
from tlcconvert.onnx_input.values.size_operators import Unknown, on_sizes
from tlcconvert.onnx_input.values.sizes import Sizes, sizes_of, tensor_of


class Step(nn.Module):
    """Computes ``node``; called with one value per input, and with those that are constant as sizes too."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node

    def forward(self, values: Sequence[Value], constants: Sequence[Sizes | None]) -> tuple[Value, ...]:
        return computed(self.node, values, constants)


def computed(
    node: Node, values: Sequence[Value], constants: Sequence[Sizes | None] = ()
) -> tuple[Value, ...]:
    """What ``node`` makes of ``values``, one per output.

    Args:
        constants: for each input that is constant, and has few elements, the same as sizes; else None.
    """
    as_sizes = [
        value if value is None or isinstance(value, Sizes) else own
        for value, own in _paired(values, constants)
    ]
    known = sum(value is not None for value in values) == sum(own is not None for own in as_sizes)
    if known and any(isinstance(value, Sizes) for value in values):
        try:
            return _as_tuple(on_sizes(node, as_sizes))
        except Unknown:
            pass
    known_operator = OPERATORS[node.kind]
    arguments = [_argument(known_operator, node, place, values, as_sizes) for place in range(len(values))]
    return _as_tuple(known_operator.function(node, *arguments))


def _paired(values: Sequence[Value], constants: Sequence[Sizes | None]) -> list[tuple[Value, Sizes | None]]:
    return [
        (value, constants[place] if place < len(constants) else None) for place, value in enumerate(values)
    ]


def _argument(
    operator: Operator, node: Node, place: int, values: Sequence[Value], as_sizes: Sequence[Value]
) -> Any:
    """Input ``place`` as the operator's function reads it."""
    value, small = values[place], as_sizes[place]
    if value is None:
        return None
    if place in operator.sizes:
        return value if isinstance(value, Sizes) else small if isinstance(small, Sizes) else sizes_of(value)
    if operator.is_pointwise and isinstance(small, Sizes) and small.array.size == 1:
        if any(_takes_number(other, small, node) for other in values if other is not value):
            return _number(small.items[0])
    return value if isinstance(value, Tensor) else tensor_of(value)


def _takes_number(other: Value, number: Sizes, node: Node) -> bool:
    """Whether ``other`` keeps its shape and type beside ``number``."""
    if not isinstance(other, Tensor) or other.dim() < number.array.ndim:
        return False
    both_floating = other.dtype.is_floating_point and number.dtype.is_floating_point
    return both_floating or other.dtype == number.dtype or node.kind == "Pow"


def _number(item: Any) -> Any:
    return item.numerator / item.denominator if isinstance(item, Quotient) else item


def _as_tuple(returned: Any) -> tuple[Value, ...]:
    return tuple(returned) if isinstance(returned, tuple | list) else (returned,)
