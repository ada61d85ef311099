"""Removes the exporter's assertions on dtype and device.

Given::

    x ──► _assert_tensor_metadata(x, dtype=float32)
      └─► ...

Result::

    x ──► ...

``torch.export`` records one wherever the source converts a tensor (``x.to(...)``, ``x.float()``). The
captured graph fixes every dtype, so they always hold, but each counts as a reader of the value and would keep
it alive.
"""

from __future__ import annotations

import torch
from torch.export import ExportedProgram

from passes.program import where
from passes.result import PassResult, Rewrite


def drop_metadata_assertions(program: ExportedProgram) -> PassResult:
    """Erases every ``_assert_tensor_metadata``, in place. Nothing the program computes changes."""
    rewrites = []
    for node in program.graph.find_nodes(
        op="call_function", target=torch.ops.aten._assert_tensor_metadata.default
    ):
        rewrites.append(Rewrite("assertion", where(node), "dtype and device asserted", "nothing"))
        program.graph.erase_node(node)
    return PassResult(tuple(rewrites))
