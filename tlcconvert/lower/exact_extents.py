"""Sizes a network computes in floating point, in a form that ONNX computes as Python does.

Given      h ──► sym_float ──► mul(1.1) ──► trunc ──► n

Result     h ──► mul(11) ──► floordiv(10) ──► n            where that is the same up to 65536 pixels
           h ──► whole_number(("trunc", ...)) ──► n        elsewhere: the same operations in double

Python computes sizes in double. The exporter writes them in float32, in which 0.29 * 100 is another number of pixels.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from onnxscript import ir
from torch import fx
from torch.export import ExportedProgram

from passes.emitter import Emitter, substitute
from passes.program import where
from passes.result import PassResult, Rewrite
from tlcconvert.lower.forms.extents import doubles, whole_ratio_of
from tlcconvert.lower.forms.opset import op

_ROUNDED: dict[Any, str] = {math.trunc: "trunc", math.floor: "floor", math.ceil: "ceil", round: "round"}
_COMPUTED: dict[Any, str] = {
    torch.sym_float: "float",
    operator.mul: "mul",
    operator.truediv: "truediv",
    operator.add: "add",
    operator.sub: "sub",
    operator.neg: "neg",
}


def whole_number(form: tuple[Any, ...]) -> int:
    """A size, as nested tuples of an operation and its operands; stands for the operations in a graph.

    Called, it computes what they do.
    """
    return int(_evaluated(form))


def write_extents_exactly(program: ExportedProgram) -> PassResult:
    """Replaces every whole number made of floating-point sizes, in place; ``program`` can only be lowered then."""
    rewrites = []
    for node in list(program.graph.nodes):
        if node.op != "call_function" or node.target not in _ROUNDED or len(node.args) != 1:
            continue
        form = _form(node)
        if form is None:
            continue
        emit = Emitter(node)
        whole = _in_whole_numbers(emit, form)
        substitute(node, whole or emit.call(whole_number, form))
        after = "in double" if whole is None else "in whole numbers"
        rewrites.append(Rewrite("size", where(node), "in floating point", after))
    program.graph.eliminate_dead_code()
    return PassResult(tuple(rewrites))


def _form(value: Any) -> Any:
    """``value`` as nested tuples over numbers and nodes that are whole; None where an operation has no name here."""
    if isinstance(value, (int, float)):
        return value
    if isinstance(value.meta.get("val"), (int, torch.SymInt)) and value.target not in _ROUNDED:
        return value
    name = _ROUNDED.get(value.target) or _COMPUTED.get(value.target)
    operands = [_form(operand) for operand in value.args]
    if name is None or any(operand is None for operand in operands):
        return None
    return (name, *operands)


def _in_whole_numbers(emit: Emitter, form: tuple[Any, ...]) -> fx.Node | None:
    """``n * p // q`` as nodes, if the form is that for its only node, else None."""
    nodes = set(_nodes(form))
    if len(nodes) != 1:
        return None
    (size,) = nodes
    pixels = 2**16
    slope = float(_evaluated(_at(form[1], size, pixels))) / pixels
    ratio = whole_ratio_of(
        lambda n: np.array([_evaluated(_at(form, size, int(value))) for value in n]), slope
    )
    if ratio is None:
        return None
    numerator, denominator = ratio
    product = emit.call(operator.mul, size, numerator)
    product.meta["val"] = size.meta["val"] * numerator
    return emit.call(operator.floordiv, product, denominator)


def _nodes(form: Any) -> list[fx.Node]:
    if isinstance(form, fx.Node):
        return [form]
    return [node for part in form[1:] for node in _nodes(part)] if isinstance(form, tuple) else []


def _at(form: Any, node: fx.Node, value: int) -> Any:
    if form is node:
        return value
    return (form[0], *(_at(part, node, value) for part in form[1:])) if isinstance(form, tuple) else form


_IN_PYTHON: dict[str, Callable[..., Any]] = {
    "trunc": math.trunc, "floor": math.floor, "ceil": math.ceil, "round": round, "float": float,
    "mul": operator.mul, "truediv": operator.truediv, "add": operator.add, "sub": operator.sub, "neg": operator.neg,
}  # fmt: skip


def _evaluated(form: Any) -> Any:
    if not isinstance(form, (tuple, list)):
        return form
    return _IN_PYTHON[form[0]](*(_evaluated(part) for part in form[1:]))


def _truncated(value: Any) -> Any:
    return op.Mul(op.Sign(value), op.Floor(op.Abs(value)))


_IN_ONNX: dict[str, Callable[..., Any]] = {
    "trunc": _truncated,
    "floor": lambda a: op.Floor(a),
    "ceil": lambda a: op.Ceil(a),
    "round": lambda a: op.Round(a),
    "float": lambda a: a,
    "mul": lambda a, b: op.Mul(a, b),
    "truediv": lambda a, b: op.Div(a, b),
    "add": lambda a, b: op.Add(a, b),
    "sub": lambda a, b: op.Sub(a, b),
    "neg": lambda a: op.Neg(a),
}


def lowered_whole_number(form: Any) -> ir.Value:
    """:func:`whole_number` in standard ONNX operators, int64 []."""
    return op.Cast(op.Squeeze(_in_double(form)), to=ir.DataType.INT64)


def _in_double(form: Any) -> Any:
    """Whole numbers below 2^53 are exact in double, so one type serves sizes and quotients."""
    if isinstance(form, (int, float)):
        return doubles(float(form))
    if isinstance(form, (tuple, list)):
        return _IN_ONNX[form[0]](*(_in_double(part) for part in form[1:]))
    return op.Cast(form, to=ir.DataType.DOUBLE)
