"""Parts of PyTorch that everyone who edits exported graphs needs and that have no public name.

- what the nodes of a graph call (:class:`OpOverload`, :class:`HigherOrderOperator`), and an operator's schema;
- tensors that are shapes alone, and the symbols in these shapes;
- trees of arguments, tracing a function of fake tensors, and seeing every operation that is run.

Stands on torch 2.14.1: ``torch/_ops.py``, ``torch/_subclasses/fake_tensor.py``, ``torch/utils/_pytree.py`` and
``_python_dispatch.py``, ``torch/_dispatch/python.py``, ``torch/fx/experimental/symbolic_shapes.py`` and
``proxy_tensor.py``.
"""

from __future__ import annotations

from typing import Any

from torch._C import FunctionSchema
from torch._dispatch.python import enable_python_dispatcher
from torch._ops import HigherOrderOperator, OpOverload
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    ShapeEnv,
    StatelessSymbolicContext,
    optimization_hint,
)
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = [
    "DimDynamic",
    "FakeTensor",
    "FakeTensorMode",
    "HigherOrderOperator",
    "OpOverload",
    "ShapeEnv",
    "StatelessSymbolicContext",
    "TorchDispatchMode",
    "enable_python_dispatcher",
    "make_fx",
    "operation_name",
    "optimization_hint",
    "overload_name",
    "pytree",
    "schema_of",
]


def schema_of(target: Any) -> FunctionSchema:
    """The schema of an operator of a graph, an ``OpOverload``."""
    return target._schema


def operation_name(target: OpOverload) -> str:
    """``"add"`` of ``aten.add.Tensor``."""
    return target._opname


def overload_name(target: OpOverload) -> str:
    """``"Tensor"`` of ``aten.add.Tensor``."""
    return target._overloadname
