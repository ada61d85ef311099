"""Exports that trace bytecode and leave the models compiled in this process compiled.

``torch.export.export(..., strict=True)`` calls ``torch._dynamo.reset()`` before it traces, which forgets every
compiled model of the process: each is compiled anew at its next call, which takes seconds to minutes. The trace reads
nothing of what is forgotten: it goes through ``fullgraph_capture``, past the cache of compiled frames, and with
settings under which no size seen earlier counts.

Stands on torch 2.14.1, ``torch/_dynamo/functional_export.py``, ``_dynamo_graph_capture_for_export``, lines 967 to
969, which look ``reset`` up in ``torch._dynamo`` when they run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch._dynamo

from tlcconvert.process_state.replaced_attribute import replaced
from tlcconvert.process_state.thread_block import ThreadBlock

_inside = ThreadBlock()
_reset = torch._dynamo.reset


def _reset_elsewhere() -> None:
    """``torch._dynamo.reset``, but for threads that are exporting."""
    if not _inside:
        _reset()


@contextmanager
def keep_compiled_models() -> Iterator[None]:
    """While active, what the exporter does in this thread forgets no compiled model."""
    with _inside.entered(), replaced(torch._dynamo, "reset", _reset_elsewhere):
        yield
