"""Conditions on the sizes of tensors, read from text by a small grammar and never run as code.

    extent        L['image'].size()[2]    L['flat_args'][0].size()[2]    .shape[2]    .size(2)
    number        whole, real, True, False, math.inf, math.nan
    arithmetic    + - * / // % **   & | ^   unary + -
    condition     == != < <= > >= (chained too), and, or, not, a if c else b
    function      abs min max round float int, and those of ``math`` and ``torch.sym_*`` in ``_FUNCTIONS``

That is what ``PythonPrinter`` and ``ShapeGuardPythonPrinter`` of torch write, with Python's meaning. Anything else is
unreadable: another name or attribute, a text too long or nested too deep, or numbers without bound such as
``9**9**9**9``. So whoever wrote a file can neither run code by its guards nor keep the reader busy.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

Shapes = Sequence[Sequence[int]]
"""The sizes of every input of a program, in calling order."""

_LONGEST = 200_000  # characters
_DEEPEST = 150  # nested operations
_MOST_BITS = 512  # of a whole number


class UnreadableGuard(ValueError):
    """A text outside the grammar; the message says what is."""


def _power(base: Any, exponent: Any) -> Any:
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and max(base.bit_length(), 1) * abs(exponent) > _MOST_BITS and abs(base) > 1:
        raise OverflowError("a power without bound")
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError("a power that is no real number")
    return result


_BINARY: Mapping[type[ast.operator], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: Mapping[type[ast.unaryop], Callable[..., Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_COMPARISON: Mapping[type[ast.cmpop], Callable[..., Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_OF_MATH = (
    *("floor", "ceil", "trunc", "sqrt", "log", "log2", "exp"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
)
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{function.__name__: function for function in (abs, min, max, round, float, int)},
    **{f"math.{name}": getattr(math, name) for name in _OF_MATH},
    **{
        f"torch.{name}": getattr(torch, name)
        for name in ("sym_max", "sym_min", "sym_float", "sym_int", "sym_not", "sym_ite", "_sym_sqrt")
    },
}
_MATH_NUMBERS: Mapping[str, float] = {"math.inf": math.inf, "math.nan": math.nan}


@dataclass(frozen=True, eq=False)
class _Term:
    """One operation; ``parts`` are evaluated first, but for the lazy ones ``and``, ``or`` and a choice."""

    kind: str  # "number", "extent", "call", "and", "or", "choice"
    payload: Any = None
    parts: tuple[_Term, ...] = ()


@dataclass(frozen=True)
class Condition:
    """A condition that was read.

    Attributes:
        numbers: the whole numbers written in it.
    """

    text: str
    numbers: frozenset[int]
    _root: _Term

    def holds(self, shapes: Shapes) -> bool:
        """Whether it is true for inputs of ``shapes``; false where it has no value, as at a division by 0."""
        return self.value(shapes) is True

    def value(self, shapes: Shapes) -> bool | None:
        """True or false for inputs of ``shapes``; None where it has no value."""
        try:
            return bool(_value(self._root, shapes, {}))
        except (ArithmeticError, ValueError, TypeError, IndexError):
            return None


def _value(term: _Term, shapes: Shapes, known: dict[_Term, Any]) -> Any:
    if term.kind == "number":
        return term.payload
    if term not in known:
        known[term] = _computed(term, shapes, known)
    return known[term]


def _computed(term: _Term, shapes: Shapes, known: dict[_Term, Any]) -> Any:
    if term.kind == "extent":
        position, axis = term.payload
        return shapes[position][axis]
    if term.kind == "choice":
        condition, yes, no = term.parts
        return _value(yes if _value(condition, shapes, known) else no, shapes, known)
    if term.kind in ("and", "or"):
        result: Any = None
        for part in term.parts:
            result = _value(part, shapes, known)
            if bool(result) is (term.kind == "or"):
                break
        return result
    return _bounded(term.payload(*(_value(part, shapes, known) for part in term.parts)))


def _bounded(number: Any) -> Any:
    if isinstance(number, int) and number.bit_length() > _MOST_BITS:
        raise OverflowError("a number without bound")
    return number


class GuardReader:
    """Reads conditions that share their parts, so that these are kept once.

    Args:
        names: of the inputs of the program, in calling order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._terms: dict[tuple[Any, ...], _Term] = {}

    def read(self, text: str) -> Condition:
        """
        Raises:
            UnreadableGuard: ``text`` is outside the grammar.
        """
        if len(text) > _LONGEST:
            raise UnreadableGuard(f"it has {len(text)} characters")
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            raise UnreadableGuard("it is no expression") from error
        root = self._term(tree.body, _DEEPEST)
        constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        return Condition(text, frozenset(number for number in constants if type(number) is int), root)

    def _term(self, node: ast.expr, depth: int) -> _Term:
        if depth == 0:
            raise UnreadableGuard("it is nested too deep")
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return self._number(number)
            case ast.BinOp(left, operation, right) if type(operation) in _BINARY:
                return self._call(_BINARY[type(operation)], self._terms_of((left, right), depth))
            case ast.UnaryOp(operation, operand) if type(operation) in _UNARY:
                return self._call(_UNARY[type(operation)], self._terms_of((operand,), depth))
            case ast.BoolOp(operation, values):
                kind = "and" if isinstance(operation, ast.And) else "or"
                return self._kept(kind, None, self._terms_of(values, depth))
            case ast.IfExp(condition, yes, no):
                return self._kept("choice", None, self._terms_of((condition, yes, no), depth))
            case ast.Compare(left, operations, right):
                return self._comparison(operations, self._terms_of((left, *right), depth))
            case ast.Call(function, arguments, keywords=[]) if _dotted(function) in _FUNCTIONS:
                return self._call(_FUNCTIONS[_dotted(function)], self._terms_of(arguments, depth))
            case ast.Attribute() if _dotted(node) in _MATH_NUMBERS:
                return self._number(_MATH_NUMBERS[_dotted(node)])
        return self._kept("extent", self._extent(node), ())

    def _terms_of(self, nodes: Sequence[ast.expr], depth: int) -> tuple[_Term, ...]:
        return tuple(self._term(node, depth - 1) for node in nodes)

    def _comparison(self, operations: Sequence[ast.cmpop], operands: Sequence[_Term]) -> _Term:
        """``a < b <= c`` as ``a < b and b <= c``."""
        pairs = []
        for operation, left, right in zip(operations, operands, operands[1:], strict=False):
            if type(operation) not in _COMPARISON:
                raise UnreadableGuard(f"it has {type(operation).__name__}")
            pairs.append(self._call(_COMPARISON[type(operation)], (left, right)))
        return pairs[0] if len(pairs) == 1 else self._kept("and", None, tuple(pairs))

    def _number(self, number: Any) -> _Term:
        try:
            return self._kept("number", _bounded(number), ())
        except OverflowError as error:
            raise UnreadableGuard("its numbers have no bound") from error

    def _call(self, function: Callable[..., Any], parts: tuple[_Term, ...]) -> _Term:
        """The call, or its result where every argument is a number."""
        if any(part.kind != "number" for part in parts):
            return self._kept("call", function, parts)
        try:
            return self._number(function(*(part.payload for part in parts)))
        except (ArithmeticError, ValueError, TypeError) as error:
            raise UnreadableGuard(f"a number in it cannot be computed ({error})") from error

    def _kept(self, kind: str, payload: Any, parts: tuple[_Term, ...]) -> _Term:
        # The type too: True, 1 and 1.0 are one key but not one number. Nor is a zero of either sign.
        key = (kind, type(payload), repr(payload), *map(id, parts))
        return self._terms.setdefault(key, _Term(kind, payload, parts))

    def _extent(self, node: ast.expr) -> tuple[int, int]:
        match node:
            case ast.Subscript(ast.Call(ast.Attribute(source, "size"), [], []), axis):
                pass
            case ast.Call(ast.Attribute(source, "size"), [axis], []):
                pass
            case ast.Subscript(ast.Attribute(source, "shape"), axis):
                pass
            case _:
                raise UnreadableGuard(f"it has {ast.unparse(node)[:80]}")
        return self._position(source), _whole(axis)

    def _position(self, source: ast.expr) -> int:
        """Which input ``L['name']``, ``L['args'][0]`` or ``L['flat_args'][0]`` is."""
        path: list[Any] = []
        while isinstance(source, ast.Subscript):
            path.insert(0, source.slice.value if isinstance(source.slice, ast.Constant) else None)
            source = source.value
        if isinstance(source, ast.Name) and source.id == "L":
            match path:
                case ["flat_args" | "args", int(position)] if 0 <= position < len(self._names):
                    return position
                case [str(name)] | ["kwargs", str(name)] if name in self._names:
                    return self._names.index(name)
                case [str(name), int(position)] if f"{name}_{position}" in self._names:
                    return self._names.index(f"{name}_{position}")
                case [str()] if len(self._names) == 1:
                    return 0
        raise UnreadableGuard(f"it names no input: {ast.unparse(source)}{path}")


def _dotted(node: ast.expr) -> str:
    """``torch.sym_max`` as text; ``""`` for what is no name."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(ast.Name(module), name):
            return f"{module}.{name}"
    return ""


def _whole(node: ast.expr) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.UnaryOp(ast.USub(), ast.Constant(value=int(number))):
            return -number
    raise UnreadableGuard("an axis in it is no number")
