"""Nodes that an ONNX form records, for the bodies of Scan and Loop.

While the exporter runs an ONNX form, an evaluator appends a node per operator to its list. onnxscript writes bodies
only for functions that it parses from their source, where no Python value of the form around it is known; so the
list is exchanged while a body is run, and nodes with bodies are appended to it.

Stands on torch 2.14.1, ``torch/onnx/_internal/exporter/_building.py``, ``OpRecorder`` (line 547: ``nodes``,
``opset``), and onnxscript 0.7.2, ``onnxscript/_internal/evaluator.py``, ``default``, which returns it in an export.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onnxscript import evaluator, ir


def recorded(body: Callable[[], Sequence[ir.Value]]) -> tuple[Sequence[ir.Value], list[ir.Node]]:
    """What ``body`` returns, and the nodes it makes, which are recorded nowhere else."""
    recorder: Any = evaluator.default()
    around, recorder.nodes = recorder.nodes, []
    try:
        return body(), recorder.nodes
    finally:
        recorder.nodes = around


def record(
    operator: str, inputs: Sequence[ir.Value | None], num_outputs: int, attributes: dict[str, Any]
) -> Sequence[ir.Value]:
    """The outputs of a new node of the export's opset, behind the nodes that were recorded so far."""
    recorder: Any = evaluator.default()
    node = ir.Node(
        "",
        operator,
        inputs,
        ir.convenience.convert_attributes(attributes),
        num_outputs=num_outputs,
        version=recorder.opset.version,
    )
    recorder.nodes.append(node)
    return node.outputs
