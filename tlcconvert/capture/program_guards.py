"""The sizes an exported program was made for, as conditions: its guards, and the ranges of its symbols.

    input [s0, 3, 8*s1, s2],  s1 in [4, 64]   ->   L['x'].size()[2] % 8 == 0,  L['x'].size()[2] >= 32,  <= 512

Outside of them the program computes something, but not what the network it was exported from does.
"""

from __future__ import annotations

import sympy
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from passes.program import user_inputs
from tlcconvert.capture.export_guards import Guards, Shape
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.sizes.size_requirements import SizeRequirements

_ENDLESS = 2**31
_ASSUMED = 2
"""The least size of every axis that is not of size 1, which the exporter assumes unasked and does not enforce."""
_BATCHES = (1, 2, 3, 4, 8, 16, 64)


def own_guards(program: ExportedProgram, inputs: NetworkInputs) -> Guards:
    """The guards of ``program`` and the ranges its sizes were declared in."""
    return Guards(program, inputs, _range_conditions(program))


class GuardedReference(nn.Module):
    """Runs ``network`` where every guard holds, and raises elsewhere.

    Raises:
        ValueError: at run time, the sizes of the inputs break a guard; the message says which.
    """

    def __init__(self, network: nn.Module, guards: Guards) -> None:
        super().__init__()
        self.network = network
        self._conditions = guards.conditions

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        sizes = [tuple(tensor.shape) for tensor in inputs]
        for condition in self._conditions:
            if not condition.holds(sizes):
                raise ValueError(f"the program was exported for sizes where {condition.text}")
        result: Tensor | tuple[Tensor, ...] = self.network(*inputs)
        return result


def least_size(guards: Guards, multiple: int) -> int:
    """The size in pixels from which on no guard refuses an image for being small; at least ``multiple``."""
    lattice = SizeRequirements(multiple, multiple)
    minima = [guards.minimum_for(guard, lattice, 2) or 0 for guard in guards.conditions]
    return max(multiple, *minima) if minima else multiple


def greatest_size(guards: Guards, requirements: SizeRequirements) -> int | None:
    """The size in pixels up to which no guard refuses an image for being large."""
    maxima = [guards.maximum_for(guard, requirements, 2) for guard in guards.conditions]
    return min((maximum for maximum in maxima if maximum is not None), default=None)


def not_proven(guards: Guards, requirements: SizeRequirements) -> tuple[str, ...]:
    """In words: what of the program's guards neither a multiple, a minimum nor a maximum says."""
    found = [f"a condition that cannot be read: {text}" for text in guards.unreadable]
    size = (requirements.up(64), requirements.up(96))
    refused: list[Shape] = [(batch, *size) for batch in _BATCHES if guards.broken_at((batch, *size))]
    if refused:
        (first, *_) = guards.broken_at(refused[0])
        batches = ", ".join(str(batch) for batch, *_ in refused)
        found.append(f"{first.text}, false at a batch of {batches}")
    for guard in guards.conditions:
        breaking = guards.smallest_break(guard, requirements)
        if breaking is not None and breaking[1:] != size and not guards.broken_at((2, *size)):
            found.append(f"{guard.text}, false at {'x'.join(map(str, breaking))}")
    return tuple(found)


def _range_conditions(program: ExportedProgram) -> list[str]:
    """The declared ranges of the sizes of all inputs, and which of them are one symbol, as guards."""
    conditions: list[str] = []
    seen: dict[sympy.Symbol, str] = {}
    for node in user_inputs(program):
        for axis, size in enumerate(node.meta["val"].shape):
            if not isinstance(size, torch.SymInt):
                continue
            extent = f"L['{node.name}'].size()[{axis}]"
            conditions += _of_size(size.node.expr, extent, program, seen)
    return conditions


def _of_size(
    expression: sympy.Expr, extent: str, program: ExportedProgram, seen: dict[sympy.Symbol, str]
) -> list[str]:
    """That ``extent`` is a * symbol + b for a symbol in its range."""
    symbols = expression.free_symbols
    if len(symbols) != 1:
        return [f"{extent} == {expression}"]
    (symbol,) = symbols
    offset = expression.subs(symbol, 0)
    factor = sympy.cancel((expression - offset) / symbol)
    if not (factor.is_Integer and factor > 0 and offset.is_Integer):
        return [f"{extent} == {expression}"]
    value = extent if expression == symbol else f"({extent} - {offset}) // {factor}"
    conditions = [] if factor == 1 else [f"({extent} - {offset}) % {factor} == 0"]
    if symbol in seen:
        conditions.append(f"{value} == {seen[symbol]}")
    seen.setdefault(symbol, value)
    declared = program.range_constraints.get(symbol)
    if declared is not None and declared.lower > _ASSUMED:
        conditions.append(f"{value} >= {declared.lower}")
    if declared is not None and declared.upper < _ENDLESS:
        conditions.append(f"{value} <= {declared.upper}")
    return conditions
