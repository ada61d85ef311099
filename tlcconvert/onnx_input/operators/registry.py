"""Which function computes which operator, and how it reads its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tlcconvert.onnx_input.values.node import Node

Function = Callable[..., Any]
"""Called with the node and its inputs; returns a value, or a tuple of one per output."""


@dataclass(frozen=True)
class Operator:
    """How to compute one operator.

    Attributes:
        function: see :data:`Function`.
        sizes: positions of inputs that are read as sizes; all others are data.
        is_pointwise: inputs of one element may be numbers.
        outputs: how many the function can return.
        refusal: why a node is not computed although its operator is, or ``""``.
    """

    function: Function
    sizes: frozenset[int]
    is_pointwise: bool
    outputs: int
    refusal: Callable[[Node], str]


_operators: dict[str, Operator] = {}
OPERATORS: Mapping[str, Operator] = _operators


def operator(
    *kinds: str,
    sizes: tuple[int, ...] = (),
    pointwise: bool = False,
    outputs: int = 1,
    refusal: Callable[[Node], str] = lambda _: "",
) -> Callable[[Function], Function]:
    """Registers the decorated function for operators of these kinds."""

    def register(function: Function) -> Function:
        for kind in kinds:
            assert kind not in _operators, kind
            _operators[kind] = Operator(function, frozenset(sizes), pointwise, outputs, refusal)
        return function

    return register


def refusal_of(node: Node) -> str:
    """Why ``node`` cannot be computed, or ``""``."""
    known = OPERATORS.get(node.kind)
    if known is None:
        return "it is not known"
    asked = [position for position in range(len(node.outputs)) if node.has_output(position)]
    if asked and asked[-1] >= known.outputs:
        return f"output {asked[-1]} is not computed"
    return known.refusal(node)
