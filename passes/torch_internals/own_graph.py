"""A second exported program over the tensors of a first.

A copy through ``copy.deepcopy`` holds every weight twice, and ``copy.copy`` shares the graph. The constructor of
``ExportedProgram`` takes graph and signature, but makes guards anew and checks the whole graph, which takes long.

Stands on torch 2.14.1, ``torch/export/exported_program.py``, ``ExportedProgram.__init__`` (lines 1127 to 1142):
``_graph_module``, ``_graph_signature``, ``_state_dict`` and ``_constants`` are all it keeps of them.
"""

from __future__ import annotations

import copy

from torch import fx
from torch.export import ExportedProgram


def with_graph(program: ExportedProgram, graph: fx.Graph) -> ExportedProgram:
    """A program of ``graph`` over the tensors of ``program``, to be changed without changing ``program``.

    Args:
        graph: a copy of that of ``program``, its nodes named alike.
    """
    own = copy.copy(program)
    own._graph_module = fx.GraphModule(program.graph_module, graph)
    own._graph_signature = copy.deepcopy(program.graph_signature)
    own._state_dict, own._constants = dict(program.state_dict), dict(program.constants)
    return own
