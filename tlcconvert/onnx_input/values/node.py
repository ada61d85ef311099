"""A node of an ONNX graph, without protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from tlcconvert.onnx_input.values.sizes import Sizes, sizes_of

Value = Tensor | Sizes | None
"""What a node reads or returns: data, sizes, or an input that is left out."""


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        kind: operator, with its domain before it where that is not ONNX's own (``"com.microsoft.Gelu"``).
        name: unique in the graph.
        attributes: whole numbers, floats, text, lists of them, tensors and, for graphs, whatever reads them.
        inputs, outputs: names of values; ``""`` where one is left out.
        opset: of the operator's domain.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 18

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute ``name``, or ``default``."""
        return self.attributes.get(name, default)

    def ints(self, name: str, given: Value = None) -> list[Any] | None:
        """Whole numbers that are an input in new opsets and an attribute in old ones; None where they are neither."""
        if given is not None:
            return (given if isinstance(given, Sizes) else sizes_of(given)).ints
        value = self.attributes.get(name)
        if value is None:
            return None
        return [value] if isinstance(value, int) else list(value)

    def has_output(self, position: int) -> bool:
        """Whether output ``position`` is asked for."""
        return position < len(self.outputs) and bool(self.outputs[position])
