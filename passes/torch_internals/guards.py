"""The guards of an exported program: what the exporter took for granted about sizes, as text.

An exported program runs its guards before its graph, and runs their text as code when it is traced again. A graph
that was rewritten has sizes of another meaning, and a program from a file may have any text for a guard: so they are
read as text alone, and taken away before the program is used.

Stands on torch 2.14.1, ``torch/export/exported_program.py``, ``ExportedProgram._guards_code`` (lines 1110 and 1153),
which ``module()`` and ``run_decompositions`` read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch.export import ExportedProgram


def guards_of(program: ExportedProgram) -> tuple[str, ...]:
    """The texts, e.g. ``"L['x'].size()[2] < 90000"``."""
    return tuple(program._guards_code or ())


def set_guards(program: ExportedProgram, guards: Sequence[str]) -> None:
    """Replaces the guards of ``program``."""
    program._guards_code = list(guards)


def drop_guards(program: ExportedProgram) -> None:
    """Forgets the guards of ``program``: once it is rewritten they speak of sizes of another meaning."""
    set_guards(program, ())


@contextmanager
def without_guards(program: ExportedProgram) -> Iterator[None]:
    """While active, ``program`` has no guards: torch would run their text as code to trace it again."""
    guards = guards_of(program)
    drop_guards(program)
    try:
        yield
    finally:
        set_guards(program, guards)
