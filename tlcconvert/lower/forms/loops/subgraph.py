"""The bodies of Scan and Loop, recorded like the operators around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from onnxscript import ir

from tlcconvert.lower.forms.opset import op
from tlcconvert.torch_internals.recorded_subgraphs import record, recorded

# Threads may share it: names have to differ within a graph alone, and number_bodies gives them anew.
_numbers = count()


def scan(
    body: Callable[..., Sequence[ir.Value]], inputs: Sequence[ir.Value], known: ir.TypeAndShape | None = None
) -> Sequence[ir.Value]:
    """What ``body`` makes of the slices along axis 0 of ``inputs``, each result stacked along a new axis 0.

    Args:
        known: what ``body`` has to know of every slice.
    """
    known = known or ir.TypeAndShape(None, None)
    slices = [ir.Value(type=known.type, shape=known.shape) for _ in inputs]
    graph, results = _recorded(lambda: body(*slices), slices)
    return record("Scan", inputs, results, {"body": graph, "num_scan_inputs": len(inputs)})


def concatenated(times: ir.Value, body: Callable[[ir.Value], ir.Value], axis: int) -> ir.Value:
    """``body(0)``, ... ``body(times - 1)``, concatenated along ``axis``; their lengths along it may differ.

    Args:
        times: int64 scalar, at least 1.
        body: of the int64 scalar that counts.
    """
    number, condition = _scalar(ir.DataType.INT64), _scalar(ir.DataType.BOOL)
    so_far = ir.Value()
    graph, _ = _recorded(
        lambda: (op.Identity(condition), op.SequenceInsert(so_far, body(number))),
        (number, condition, so_far),
    )
    (parts,) = record("Loop", (times, None, op.SequenceEmpty()), 1, {"body": graph})
    return op.ConcatFromSequence(parts, axis=axis)


def number_bodies(graph: ir.Graph) -> None:
    """Names the values of all bodies in ``graph`` in order, for equal graphs to have equal names."""
    bodies = {node.graph: None for node in graph.all_nodes() if node.graph not in (graph, None)}
    values = [
        value
        for body in bodies
        for value in (*body.inputs, *(output for node in body for output in node.outputs))
    ]
    for number, value in enumerate(values):
        value.name = f"body_{number}"


def _recorded(body: Callable[[], Sequence[ir.Value]], inputs: Sequence[ir.Value]) -> tuple[ir.Graph, int]:
    """The graph of what ``body`` does, and the number of its results."""
    results, nodes = recorded(body)
    for value in (*inputs, *(output for node in nodes for output in node.outputs)):
        value.name = value.name or f"body_{next(_numbers)}"
    return ir.Graph(inputs, results, nodes=nodes, name="body"), len(results)


def _scalar(dtype: ir.DataType) -> ir.Value:
    """An input of a body whose type does not follow from an input of the node around it."""
    return ir.Value(type=ir.TensorType(dtype), shape=ir.Shape(()))
