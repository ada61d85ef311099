"""Functions that a file defines for itself, written out where they are called."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from onnx import ModelProto, inliner

from tlcconvert.errors import InputError
from tlcconvert.onnx_input.reading.order import graphs_of
from tlcconvert.shown_name import shown, shown_text

_MOST_NODES = 1_000_000


def without_functions(model: ModelProto) -> ModelProto:
    """``model`` without local functions.

    Raises:
        InputError: a function calls itself, or what they are written out to has no end.
    """
    if not model.functions:
        return model
    calls = {
        (function.domain, function.name): [called for node in function.node for called in _called(node)]
        for function in model.functions
    }
    try:
        order = list(TopologicalSorter(calls).static_order())
    except CycleError as error:
        looping = shown(error.args[1][0][1])
        raise InputError(f"The ONNX file is damaged: its function {looping} calls itself.") from None
    nodes: dict[tuple[str, str], int] = {}
    for name in order:
        if name in calls:
            nodes[name] = sum(nodes.get(called, 1) for called in calls[name]) + 1
    total = sum(nodes.get(called, 1) for node in model.graph.node for called in _called(node))
    if total > _MOST_NODES:
        raise InputError(f"The ONNX file is damaged: written out, its functions have {total} nodes.")
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:
        raise InputError(
            f"The functions in the ONNX file cannot be written out: {shown_text(error)}."
        ) from error


def _called(node: object) -> list[tuple[str, str]]:
    inner = [called for graph in graphs_of(node) for own in graph.node for called in _called(own)]  # type: ignore[arg-type]
    return [(node.domain, node.op_type), *inner]  # type: ignore[attr-defined]
