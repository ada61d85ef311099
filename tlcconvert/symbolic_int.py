"""``int(height / 2)`` that stays a symbol.

Python lets ``int`` return nothing but a number, so the exporter, which runs the network's code, fixes the size to
the example's there. In the modules a network is written in, the name ``int`` is given another meaning while it is
exported: it truncates a symbol symbolically and is the built-in for everything else.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import nn


class _IntType(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], (torch.SymInt, torch.SymFloat)):
            return torch.sym_int(args[0])
        return builtins.int(*args, **kwargs)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, builtins.int)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, builtins.int)

    def __getattr__(cls, name: str) -> Any:
        return getattr(builtins.int, name)


class SymbolicInt(metaclass=_IntType):
    """``int``, but of a symbol the symbol truncated."""


@contextmanager
def symbolic_int(network: nn.Module) -> Iterator[None]:
    """While active, ``int`` is :class:`SymbolicInt` in the packages ``network`` is written in."""
    modules = [module for module in _modules_of(network) if "int" not in vars(module)]
    for module in modules:
        vars(module)["int"] = SymbolicInt
    try:
        yield
    finally:
        for module in modules:
            vars(module).pop("int", None)


def _modules_of(network: nn.Module) -> list[ModuleType]:
    """The loaded modules of the packages in which the classes of ``network`` are defined, PyTorch's left out."""
    packages = {type(part).__module__.partition(".")[0] for part in network.modules()} - {
        "torch",
        "torchvision",
    }
    return [
        module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType) and name.partition(".")[0] in packages
    ]
