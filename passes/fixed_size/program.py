"""Replacing the ``tlc::`` operators that are written with running sums."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.decompose.emission import replace
from passes.not_taken import not_taken
from passes.program import add_parameter, refresh, where
from passes.result import PassResult, Rewrite
from passes.simplify.common_subexpressions import share_common_subexpressions
from passes.statistics import OPERATORS
from passes.torch_internals.names import pytree

_log = logging.getLogger(__name__)

FIXED_SIZE: dict[Any, Callable[..., Any]] = {
    operator.overload: operator.fixed_size for operator in OPERATORS if operator.fixed_size is not None
}
_ON_A_GRID = {operator.overload for operator in OPERATORS if operator.exact in FIXED_SIZE}
"""The other local operators take no running sums to begin with; those on a grid are left as they are."""


def without_running_sums(program: ExportedProgram) -> PassResult:
    """Replaces every operator of ``FIXED_SIZE``, in place; the sizes of ``program`` are numbers."""
    rewrites = []
    for node in list(program.graph.nodes):
        if node.target in _ON_A_GRID:
            not_taken(_log, node, "its sums are those of a grid of windows")
        if node.target in FIXED_SIZE:
            rewrites.append(
                Rewrite("running sum", where(node), str(node.target), "matrix products or merges")
            )
            replace(node, FIXED_SIZE[node.target])
    if not rewrites:
        return PassResult()
    _store_matrices(program)
    shared = share_common_subexpressions(program.graph)
    refresh(program)
    return PassResult(tuple(rewrites)) + shared


def _store_matrices(program: ExportedProgram) -> None:
    """Makes a parameter of every tensor written into the graph; equal ones share it."""
    stored: list[tuple[torch.Tensor, fx.Node]] = []

    def parameter(argument: Any) -> Any:
        if not isinstance(argument, torch.Tensor):
            return argument
        for tensor, node in stored:
            if torch.equal(tensor, argument):
                return node
        stored.append((argument, add_parameter(program, "window_matrix", argument)))
        return stored[-1][1]

    for node in list(program.graph.nodes):
        node.args = pytree.tree_map(parameter, node.args)
