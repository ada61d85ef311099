"""The float64 value of every constant, and parameters that remember the float64 they were rounded from.

A folded weight is stored in the network's dtype, but a later fold composes it again and a border proof
compares two of them: done on the rounded values, a border that equals its bias exactly would differ in the
last bit and be refused. So a derived parameter keeps the value before rounding in ``meta["exact"]`` until the
folds are done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.program import add_parameter, constant_nodes, state
from passes.result import PassResult

_EXACT = "exact"


class ExactConstants:
    """Float64 values of the constant nodes of ``program``, each evaluated once and on demand.

    Attributes:
        nodes: the nodes whose value depends on parameters, buffers and literals only.
    """

    def __init__(self, program: ExportedProgram) -> None:
        self._program = program
        self._tensors = state(program)
        self._native: dict[fx.Node, Any] = {}
        self._exact: dict[fx.Node, Any] = {}
        self._added: dict[tuple[torch.dtype, tuple[int, ...], bytes], fx.Node] = {}
        self.nodes = constant_nodes(program)

    def native(self, node: fx.Node) -> Any:
        """The value in the program's own dtypes, as an eager run computes it."""
        if node.op == "placeholder":
            return self._tensors[node.name].detach()
        for step in self._missing(node, self._native):
            self._native[step] = _evaluated(step, self.native, run)
        return self._native[node]

    def exact(self, node: fx.Node) -> Any:
        """The value with every floating-point step in float64.

        Where a step is discontinuous (rounding, comparison) float64 may land on the other side of it; a value
        that moved by more than rounding explains is taken from the native evaluation instead.
        """
        if node.op == "placeholder":
            return _before_rounding(node, self.native(node))
        for step in self._missing(node, self._exact):
            self._exact[step] = _trusted(_evaluated(step, self.exact, run_in_float64), self.native(step))
        return self._exact[node]

    def add(self, name: str, value: torch.Tensor, dtype: torch.dtype, *, is_final: bool = False) -> fx.Node:
        """Adds ``value`` (float64) as a parameter of ``dtype``; equal tensors (tied layers) share one.

        A final one is not composed again, and does not keep ``value``, which takes twice its own memory.
        """
        stored = value.to(dtype, copy=True, memory_format=torch.contiguous_format).reshape(value.shape)
        key = (dtype, tuple(stored.shape), _digest(stored))
        if key in self._added:
            return self._added[key]
        node = add_parameter(self._program, name, stored)
        if not is_final:
            node.meta[_EXACT] = value
        self._added[key] = node
        self._tensors[node.name] = stored
        self.nodes.add(node)
        return node

    def _missing(self, node: fx.Node, known: dict[fx.Node, Any]) -> list[fx.Node]:
        """What is still to be evaluated for ``node``, sources first."""
        order: list[fx.Node] = []
        pending, entered = [node], set()
        while pending:
            current = pending.pop()
            if current in known or current.op == "placeholder":
                continue
            if current in entered:
                order.append(current)
                continue
            entered.add(current)
            pending += [current, *(source for source in current.all_input_nodes if source not in entered)]
        return list(dict.fromkeys(order))


def _evaluated(node: fx.Node, value: Callable[[fx.Node], Any], execute: Callable[..., Any]) -> Any:
    with torch.no_grad():
        return execute(node, fx.map_arg(node.args, value), fx.map_arg(node.kwargs, value))


def run(node: fx.Node, args: Any, kwargs: Any) -> Any:
    """Executes one node."""
    return node.target(*args, **kwargs)  # type: ignore[operator]


def run_in_float64(node: fx.Node, args: Any, kwargs: Any) -> Any:
    """Executes one node on float64 arguments, whatever floating dtype its own arguments ask for."""
    args, kwargs = fx.node.map_aggregate((args, kwargs), _widened)
    return fx.node.map_aggregate(run(node, args, kwargs), _widened)


def forget_exact(program: ExportedProgram) -> PassResult:
    """Drops the float64 values that derived parameters kept; nothing the program computes changes."""
    for node in program.graph.nodes:
        node.meta.pop(_EXACT, None)
    return PassResult()


def _before_rounding(node: fx.Node, stored: torch.Tensor) -> torch.Tensor:
    exact = node.meta.get(_EXACT)
    if exact is not None and torch.equal(exact.to(stored.dtype), stored):
        return exact
    return _widened(stored)


def _widened(value: Any) -> Any:
    if isinstance(value, torch.dtype):
        return torch.float64 if value.is_floating_point else value
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.to(torch.float64)
    return value


def _trusted(exact: Any, native: Any) -> Any:
    if isinstance(native, (tuple, list)):
        return [_trusted(*pair) for pair in zip(exact, native, strict=True)]
    if not (isinstance(native, torch.Tensor) and native.is_floating_point()):
        return native
    reference = native.to(torch.float64)
    if not native.numel() or exact.shape != native.shape:
        return reference
    rounding = 64 * torch.finfo(native.dtype).eps * reference.abs().amax()
    return exact if bool((exact - reference).abs().le(rounding).all()) else reference


def _digest(tensor: torch.Tensor) -> bytes:
    return hashlib.blake2b(tensor.reshape(-1).view(torch.uint8).numpy().data, digest_size=16).digest()
