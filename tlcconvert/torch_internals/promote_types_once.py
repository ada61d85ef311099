"""An export that infers the type of each value once.

The exporter makes implicit type promotions explicit: for each operator it compares its arguments' types with what it
computes in and inserts casts. To know these types it runs the graph once more on fake tensors, which for a network of
windows takes several times as long as all the rest of the export. The graph holds what that run computes already.

Stands on torch 2.14.1, ``torch/onnx/_internal/fx/passes/type_promotion.py``: ``_TypePromotionInterpreter``
with ``run_node``, ``_set_current_node`` and ``_maybe_promote_node`` (line 1320 on).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import fx
from torch.onnx._internal.fx.passes import type_promotion

from tlcconvert.process_state.replaced_attribute import replaced
from tlcconvert.process_state.thread_block import ThreadBlock

_Interpreter: Any = type_promotion._TypePromotionInterpreter
_inside = ThreadBlock()
_run_node_again = _Interpreter.run_node


def _run_node(interpreter: Any, node: fx.Node) -> Any:
    """The value of ``node``, after its arguments were promoted: read where the graph has it, computed elsewhere."""
    if not _inside:
        return _run_node_again(interpreter, node)
    rule = type_promotion.get_type_promotion_rule(node, interpreter.type_promotion_table)
    if rule:
        with interpreter._set_current_node(node):
            interpreter._maybe_promote_node(node, rule)
    if node.op == "call_function" and node.meta.get("val") is not None:
        return node.meta["val"]
    return fx.Interpreter.run_node(interpreter, node)


@contextmanager
def promote_types_once() -> Iterator[None]:
    """While active, the exporter takes the types of values from the graph, in this thread."""
    with _inside.entered(), replaced(_Interpreter, "run_node", _run_node):
        yield
