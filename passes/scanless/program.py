"""Replacing the ``tlc::`` operators that are written with running sums."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

import passes.operators  # noqa: F401  (registers torch.ops.tlc)
from passes.decompose.emission import replace
from passes.not_taken import not_taken
from passes.program import add_parameter, refresh, where
from passes.result import PassResult, Rewrite
from passes.scanless.local_mean import local_mean
from passes.scanless.local_normalize import local_normalize
from passes.scanless.local_variance import local_variance
from passes.simplify.common_subexpressions import share_common_subexpressions
from passes.torch_internals.names import pytree

_log = logging.getLogger(__name__)

tlc = torch.ops.tlc

SCANLESS: dict[Any, Callable[..., Any]] = {
    tlc.local_mean.default: local_mean,
    tlc.local_normalize.default: local_normalize,
    tlc.local_variance.default: local_variance,
}
_ON_A_GRID = {tlc.grid_mean.default, tlc.grid_normalize.default, tlc.grid_variance.default}
"""The other local operators take no running sums to begin with; those on a grid are left as they are."""


def without_running_sums(program: ExportedProgram) -> PassResult:
    """Replaces every operator of ``SCANLESS``, in place; the sizes of ``program`` are numbers."""
    rewrites = []
    for node in list(program.graph.nodes):
        if node.target in _ON_A_GRID:
            not_taken(_log, node, "its sums are those of a grid of windows")
        if node.target in SCANLESS:
            rewrites.append(
                Rewrite("running sum", where(node), str(node.target), "matrix products or merges")
            )
            replace(node, SCANLESS[node.target])
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
