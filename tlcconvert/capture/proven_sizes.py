"""The sizes at which a captured graph computes what its network computes.

Where all guards of the export hold, the graph is the network. So it is run where one does not: at the usual sizes, at
the smallest shape that breaks each guard, a thin one where that will do, and at a few longer ones. Where it differs,
one of the guards broken there is a branch the network takes. The sizes are then limited to those where it holds, by a
larger minimum or else by a maximum, and the graph is run again. A guard broken only at images too large to run limits
the sizes untried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tlcconvert.capture.export_guards import Guards, Shape
from tlcconvert.capture.graph_comparison import Agreement, compare
from tlcconvert.capture.guard_grammar import Condition
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.sizes.size_requirements import SizeRequirements, sizes_to_compare

_BATCHES = (1, 3)
_ATTEMPTS = 8
_ALWAYS_RUN = 2**17  # pixels of a batch
_LARGEST_RUN = 2**22  # pixels of a batch
_MOST_WORK = 5e11  # floating-point operations of one run


@dataclass(frozen=True)
class ProvenSizes:
    """Sizes at which graph and network agree.

    Attributes:
        requirements: the sizes; narrower than those the network accepts where the graph differs from it.
        assumptions: guards in words that are not proven: those that first fail at images too large to run, beyond
            ``requirements.maximum``; and those that cannot be read.
    """

    requirements: SizeRequirements
    assumptions: tuple[str, ...]


def proven_sizes(
    graph: nn.Module,
    original: nn.Module,
    inputs: NetworkInputs,
    guards: Guards,
    accepted: SizeRequirements,
) -> tuple[ProvenSizes | None, str]:
    """The most of ``accepted`` at which ``graph`` computes what ``original`` does, and the first difference found.

    None if they differ where every guard holds, or no minimum and maximum keeps clear of the differences.
    """
    requirements, first = accepted, ""
    for _ in range(_ATTEMPTS):
        shapes, untried = _shapes_to_compare(original, inputs, guards, requirements)
        agreement = compare(graph, original, inputs, shapes)
        if not agreement.difference:
            requirements, assumptions = _limited(requirements, untried, guards)
            return ProvenSizes(requirements, assumptions), first
        first = first or agreement.difference
        narrowed = _narrowed(requirements, agreement, guards)
        if narrowed is None:
            break
        requirements = narrowed
    return None, first


def _shapes_to_compare(
    original: nn.Module, inputs: NetworkInputs, guards: Guards, requirements: SizeRequirements
) -> tuple[list[Shape], list[tuple[Condition, Shape]]]:
    """Accepted shapes of every parity, also such as break a guard; and guards broken by images too large to run."""
    within = [size for size in sizes_to_compare(requirements) if _fits(size, requirements)]
    shapes = [(_BATCHES[number % len(_BATCHES)], *size) for number, size in enumerate(within)]
    untried: list[tuple[Condition, Shape]] = []
    for guard in guards.conditions:
        if not all(guards.holds(guard, shape) for shape in shapes):
            continue
        breaking = guards.smallest_break(guard, requirements)
        if breaking is None:
            continue
        if _affordable(original, inputs, breaking, shapes[0]):
            shapes.append(breaking)
        else:
            untried.append((guard, breaking))
    shapes += [shape for shape in _longer_shapes(requirements) if guards.broken_at(shape)]
    return list(dict.fromkeys(shapes)), untried


def _longer_shapes(requirements: SizeRequirements) -> list[Shape]:
    """Shapes with a long side: a broken guard that does no harm on a small image may do some on several windows."""
    up, least = requirements.up, requirements.minimum
    sizes = [(least, up(256)), (up(64), up(256)), (up(128), up(160))]
    both = [*sizes, *((width, height) for height, width in sizes)]
    return [(1, *size) for size in both if _fits(size, requirements)]


def _fits(size: tuple[int, int], requirements: SizeRequirements) -> bool:
    return requirements.maximum is None or max(size) <= requirements.maximum


def _affordable(original: nn.Module, inputs: NetworkInputs, shape: Shape, known: Shape) -> bool:
    """Whether the network is run at ``shape``; what it costs there is told from a run at ``known``."""
    pixels = shape[0] * shape[1] * shape[2]
    if pixels <= _ALWAYS_RUN or pixels > _LARGEST_RUN:
        return pixels <= _ALWAYS_RUN
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            original(*inputs.random(*known))
    except Exception:
        return False
    return counter.get_total_flops() * pixels / (known[0] * known[1] * known[2]) <= _MOST_WORK


def _narrowed(
    requirements: SizeRequirements, agreement: Agreement, guards: Guards
) -> SizeRequirements | None:
    """``requirements`` less the shape of the difference, along a guard that is broken there."""
    if agreement.at is None:
        return None
    batch, *sides = agreement.at
    broken = guards.broken_at(agreement.at)
    minima = [guards.minimum_for(guard, requirements, batch) for guard in broken]
    raised = [minimum for minimum in minima if minimum is not None and min(sides) < minimum]
    if raised:
        return replace(requirements, minimum=min(raised))
    maxima = [guards.maximum_for(guard, requirements, batch) for guard in broken]
    lowered = [maximum for maximum in maxima if maximum is not None and maximum < max(sides)]
    if lowered:
        return replace(requirements, maximum=max(lowered))
    return None


def _limited(
    requirements: SizeRequirements, untried: Sequence[tuple[Condition, Shape]], guards: Guards
) -> tuple[SizeRequirements, tuple[str, ...]]:
    """``requirements`` below the images too large to run that break a guard, and what is not proven."""
    maxima, assumptions = [], []
    for guard, breaking in untried:
        maximum = guards.maximum_for(guard, requirements, breaking[0]) or max(breaking[1:]) - 1
        maxima.append(maximum // requirements.multiple * requirements.multiple)
        assumptions.append(f"{guard.text}, false at {'x'.join(map(str, breaking[1:]))}")
    if requirements.maximum is not None:
        maxima.append(requirements.maximum)
    assumptions += [f"a condition that cannot be read: {text}" for text in guards.unreadable]
    return replace(requirements, maximum=min(maxima, default=None)), tuple(assumptions)
