"""Sizes at which what the exporter took for granted does not hold.

``torch.export`` records every fact about the sizes it relied on as a guard, a Python condition on
``L['x'].size()[2]`` and the like. Most restate the obvious (a feature is not empty); some are a branch taken
for the example alone. A guard that was false at a size where graph and network agreed is harmless.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any

import torch
from torch.export import ExportedProgram

from tlcconvert.network_inputs import NetworkInputs
from tlcconvert.size_requirements import SizeRequirements

Shape = tuple[int, int, int]  # batch, height, width

_LARGE = (64, 96, 160, 256, 512, 1024, 2048, 4096)


def drop_guards(program: ExportedProgram) -> None:
    """Forgets the guards of ``program``: once it is rewritten they speak of sizes of another meaning."""
    program._guards_code = []


class Guards:
    """The guards of a program, as conditions on (batch, height, width)."""

    def __init__(self, program: ExportedProgram, inputs: NetworkInputs) -> None:
        self._names = list(program.graph_signature.user_inputs)
        self._inputs = inputs
        texts = getattr(program, "_guards_code", None) or ()
        self._conditions = {text: compile(text, "<guard>", "eval") for text in texts}

    def __iter__(self) -> Iterator[str]:
        return iter(self._conditions)

    def first_false(self, guard: str, shapes: Iterable[Shape]) -> Shape | None:
        """The first of ``shapes`` at which ``guard`` does not hold."""
        code = self._conditions[guard]
        return next((shape for shape in shapes if not self._holds(code, shape)), None)

    def _holds(self, code: CodeType, shape: Shape) -> bool:
        sized = [_Sized(tuple(sizes)) for sizes in self._inputs.sizes(*shape)]
        known: dict[Any, Any] = {**dict(zip(self._names, sized, strict=False)), "flat_args": sized}
        try:
            return bool(eval(code, {"L": known, "torch": torch, "math": math}))
        except Exception:
            return True


class _Sized:
    """Answers ``size()`` as a tensor of that shape does."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self._sizes = sizes

    def size(self) -> tuple[int, ...]:
        return self._sizes


def candidate_shapes(requirements: SizeRequirements) -> Iterator[Shape]:
    """Accepted shapes from small to large, of every parity and proportion, to look for a broken guard."""
    step, least = requirements.multiple, requirements.minimum
    small = [least + step * number for number in range(6)]
    large = sorted({requirements.up(size + odd) for size in _LARGE for odd in (0, 1)} - set(small))
    yield from ((1, height, width) for height in small for width in small)
    yield from ((batch, small[2], small[3]) for batch in (2, 4, 5))
    for size in large:
        yield from ((1, size, small[1]), (1, small[1], size), (1, size, size))
