"""``int(height / 2)`` that stays a symbol.

    int(height / 2)                          ->    trunc(height / 2)
    int(windows / (height * width / 8 / 8))  ->    batch, where windows = batch * (height / 8) * (width / 8)

Python lets ``int`` return nothing but a number, so the exporter, which runs the network's code, fixes the size to
the example's there. In the modules a network is written in, the name ``int`` is given another meaning while it is
exported: it truncates a symbol symbolically and is the built-in for everything else and in every other thread.
A quotient of sizes that is a whole number for all of them, such as the batch a network of windows works out, is
written as that number: left a truncated quotient, it would be taken apart again in every later question about sizes.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

import sympy
import torch
from sympy import Expr
from torch import nn

from passes.torch_internals.sympy_functions import FloatTrueDiv, IntTrueDiv, ToFloat
from tlcconvert.process_state.replaced_attribute import replaced
from tlcconvert.process_state.thread_block import ThreadBlock

_tracing = ThreadBlock()
_WITH_SYMBOLIC_SIZES = "tlcconvert.onnx_input."
"""Where nothing truncates a size by ``int``."""


class _IntType(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if _tracing and len(args) == 1 and isinstance(args[0], (torch.SymInt, torch.SymFloat)):
            whole = _whole_quotient(args[0]) if isinstance(args[0], torch.SymFloat) else None
            return torch.sym_int(args[0]) if whole is None else whole
        return builtins.int(*args, **kwargs)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, builtins.int)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, builtins.int)

    def __getattr__(cls, name: str) -> Any:
        return getattr(builtins.int, name)


class SymbolicInt(metaclass=_IntType):
    """``int``, but of a symbol the symbol truncated."""


def _whole_quotient(number: torch.SymFloat) -> torch.SymInt | None:
    """``number`` as sums and products of whole sizes, if it is that for all sizes."""
    names: dict[Expr, sympy.Symbol] = {}
    numerator, denominator = sympy.fraction(sympy.cancel(_rational(number.node.expr, names)))
    if denominator != 1 or not all(constant.is_Integer for constant in numerator.atoms(sympy.Number)):
        return None
    whole = numerator.xreplace({name: size for size, name in names.items()})
    environment, hint = number.node.shape_env, number.node.hint
    if not whole.is_integer or environment is None or not isinstance(hint, float):
        return None
    return environment.create_symintnode(whole, hint=builtins.int(hint))  # type: ignore[return-value]


def _rational(expression: Expr, names: dict[Expr, sympy.Symbol]) -> Expr:
    """``expression`` in real arithmetic; ``names`` gets a symbol for each part that is none."""
    parts = [_rational(part, names) for part in expression.args]
    if isinstance(expression, ToFloat):
        return parts[0]
    if isinstance(expression, (IntTrueDiv, FloatTrueDiv)):
        return parts[0] / parts[1]
    if isinstance(expression, (sympy.Add, sympy.Mul)):
        return expression.func(*parts)
    if isinstance(expression, sympy.Number):
        return sympy.nsimplify(expression, rational=True)
    return names.setdefault(expression, sympy.Dummy())


@contextmanager
def symbolic_int(network: nn.Module) -> Iterator[None]:
    """While active, ``int`` is :class:`SymbolicInt` in the packages ``network`` is written in.

    A module that gives the name a meaning of its own keeps that.
    """
    with ExitStack() as stack:
        stack.enter_context(_tracing.entered())
        for module in _modules_of(network):
            if vars(module).get("int", SymbolicInt) is SymbolicInt:
                stack.enter_context(replaced(module, "int", SymbolicInt))
        yield


def _modules_of(network: nn.Module) -> list[ModuleType]:
    """The loaded modules of the packages in which the classes of ``network`` are defined, PyTorch's left out."""
    written_in = {type(part).__module__ for part in network.modules()}
    packages = {
        name.partition(".")[0] for name in written_in if not name.startswith(_WITH_SYMBOLIC_SIZES)
    } - {"torch", "torchvision"}
    return [
        module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType) and name.partition(".")[0] in packages
    ]
