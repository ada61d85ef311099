"""Sizes at which what the exporter took for granted does not hold.

``torch.export`` records every fact about the sizes it relied on as a guard, a condition on ``L['x'].size()[2]`` and
the like (``guard_grammar.py``). Most restate the obvious (a feature is not empty); some are a branch taken
for the example alone. Where all of them hold, the graph is what the network does. A guard that is false at a size
where graph and network agree is harmless.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from torch.export import ExportedProgram

from passes.torch_internals.guards import guards_of
from tlcconvert.capture.guard_grammar import Condition, GuardReader, UnreadableGuard
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.sizes.size_requirements import SizeRequirements

Shape = tuple[int, int, int]  # batch, height, width

_NEIGHBOURS = 6
_REMAINDERS = 3
_BATCHES = (2, 4, 5, 8, 16)
_LARGE = tuple(2**power for power in range(6, 17))
_LONGEST_MINIMUM = 1024  # pixels
_MOST_NUMBERS = 8
_LARGEST_WRITTEN = 4096  # pixels
_MOST_WRITTEN = 5


class Guards:
    """The guards of a program, as conditions on (batch, height, width).

    Args:
        more: texts of further conditions.

    Attributes:
        conditions: those that could be read.
        unreadable: the texts of the others, each with the reason.
    """

    def __init__(self, program: ExportedProgram, inputs: NetworkInputs, more: Sequence[str] = ()) -> None:
        self._inputs = inputs
        reader = GuardReader(program.graph_signature.user_inputs)
        conditions, unreadable = [], []
        for text in dict.fromkeys([*guards_of(program), *more]):
            try:
                conditions.append(reader.read(text))
            except UnreadableGuard as reason:
                unreadable.append(f"{_shortened(text)} ({reason})")
        self.conditions = tuple(conditions)
        self.unreadable = tuple(unreadable)

    def holds(self, guard: Condition, shape: Shape) -> bool:
        return guard.holds(self._inputs.sizes(*shape))

    def broken_at(self, shape: Shape) -> tuple[Condition, ...]:
        """The guards that do not hold at ``shape``."""
        sizes = self._inputs.sizes(*shape)
        return tuple(guard for guard in self.conditions if not guard.holds(sizes))

    def smallest_break(self, guard: Condition, requirements: SizeRequirements) -> Shape | None:
        """The accepted shape of the fewest pixels, of those tried, at which ``guard`` does not hold."""
        breaks = [shape for shape in _small_shapes(requirements) if not self.holds(guard, shape)]
        if not breaks:
            first = (self._first_break(guard, family, requirements) for family in _families(requirements))
            breaks = [shape for shape in first if shape is not None]
            breaks += [shape for shape in _named_shapes(guard, requirements) if not self.holds(guard, shape)]
        return min(breaks, key=_pixels, default=None)

    def _first_break(self, guard: Condition, family: Family, requirements: SizeRequirements) -> Shape | None:
        """The smallest shape of ``family`` that breaks ``guard``, taken to break it from there on."""
        holding = requirements.minimum
        for extent in _large_extents(requirements):
            if not self.holds(guard, family(extent)):
                return family(
                    _bisected(holding, extent, requirements.multiple, lambda v: self.holds(guard, family(v)))
                )
            holding = extent
        return None

    def minimum_for(self, guard: Condition, requirements: SizeRequirements, batch: int) -> int | None:
        """The smallest size, up to 1024 pixels, such that ``guard`` holds wherever both sides reach it, or None."""
        step = requirements.multiple

        def holds(extent: int) -> bool:
            return all(self.holds(guard, shape) for shape in _beside_longer(extent, batch, requirements))

        extents = _extents(guard, requirements)
        breaking = max((extent for extent in extents if not holds(extent)), default=0)
        if not breaking or breaking > _LONGEST_MINIMUM:
            return None
        holding = min(extent for extent in extents if extent > breaking)
        return _bisected(breaking, holding, step, lambda extent: not holds(extent))

    def maximum_for(self, guard: Condition, requirements: SizeRequirements, batch: int) -> int | None:
        """The largest size such that ``guard`` holds wherever no side exceeds it; None if there is none or no end.

        A condition on remainders, which some larger images fulfil again, has none.
        """
        step = requirements.multiple

        def holds(extent: int) -> bool:
            return all(self.holds(guard, shape) for shape in _beside_shorter(extent, batch, requirements))

        extents = _extents(guard, requirements)
        if any(self.holds(guard, (batch, extent, extent)) for extent in extents[-_REMAINDERS:]):
            return None
        holding = None
        for extent in extents:
            if not holds(extent):
                return None if holding is None else _bisected(holding, extent, step, holds) - step
            holding = extent
        return None


Family = Callable[[int], Shape]


def _bisected(low: int, high: int, step: int, stays: Callable[[int], bool]) -> int:
    """The smallest ``low + n * step`` at which ``stays`` is false; it is true at ``low`` and false at ``high``."""
    while high - low > step:
        middle = low + (high - low) // step // 2 * step
        low, high = (middle, high) if stays(middle) else (low, middle)
    return high


def _small_extents(requirements: SizeRequirements) -> list[int]:
    extents = [requirements.minimum + requirements.multiple * number for number in range(_NEIGHBOURS)]
    return [extent for extent in extents if _within(extent, requirements)]


def _large_extents(requirements: SizeRequirements) -> list[int]:
    """Accepted extents up to 65536, three neighbours each, so that no remainder is left out."""
    step, small = requirements.multiple, _small_extents(requirements)
    extents = {requirements.up(extent) + step * offset for extent in _LARGE for offset in range(_REMAINDERS)}
    return sorted(extent for extent in extents - set(small) if _within(extent, requirements))


def _named_extents(guard: Condition, requirements: SizeRequirements) -> list[int]:
    """Accepted extents at the numbers in ``guard`` and their products: where ``height // 4 != 75`` turns."""
    numbers = [number for number in sorted(guard.numbers) if 1 < number <= _LARGE[-1]][:_MOST_NUMBERS]
    products = {one * other for one in numbers for other in (1, *numbers)}
    extents = {requirements.up(product) for product in products if product <= _LARGE[-1]}
    return sorted(extent for extent in extents if _within(extent, requirements))


def _extents(guard: Condition, requirements: SizeRequirements) -> list[int]:
    named = {
        extent + requirements.multiple * offset
        for extent in _named_extents(guard, requirements)
        for offset in (-1, 0, 1)
    }
    known = {*_small_extents(requirements), *_large_extents(requirements)}
    return sorted(
        known
        | {extent for extent in named if extent >= requirements.minimum and _within(extent, requirements)}
    )


def _within(extent: int, requirements: SizeRequirements) -> bool:
    return requirements.maximum is None or extent <= requirements.maximum


def _small_shapes(requirements: SizeRequirements) -> Iterator[Shape]:
    small = _small_extents(requirements)
    yield from ((1, height, width) for height in small for width in small)
    yield from ((batch, small[len(small) // 2], small[-1]) for batch in _BATCHES)


def _named_shapes(guard: Condition, requirements: SizeRequirements) -> Iterator[Shape]:
    short = _short(requirements)
    for extent in _named_extents(guard, requirements):
        yield from ((1, extent, short), (1, short, extent), (1, extent, extent))
    written = sorted({requirements.up(number) for number in guard.numbers if 1 < number <= _LARGEST_WRITTEN})
    pairs = itertools.permutations(written[:_MOST_WRITTEN], 2)
    yield from ((1, *pair) for pair in pairs if _within(max(pair), requirements))


def _short(requirements: SizeRequirements) -> int:
    """A short side of thin shapes."""
    return _small_extents(requirements)[:2][-1]


def _families(requirements: SizeRequirements) -> tuple[Family, ...]:
    """Tall, wide, square and oblong shapes, by their longer side."""
    short = _short(requirements)
    return (
        lambda extent: (1, extent, short),
        lambda extent: (1, short, extent),
        lambda extent: (1, extent, extent),
        lambda extent: (1, requirements.up(extent // 2), extent),
        lambda extent: (1, extent, requirements.up(extent // 2)),
    )


def _beside_longer(extent: int, batch: int, requirements: SizeRequirements) -> Iterator[Shape]:
    """Shapes whose shorter side is ``extent``."""
    step = requirements.multiple
    for longer in (extent, extent + step, 2 * extent, 2 * extent + step, 16 * extent, 64 * extent + step):
        if _within(longer, requirements):
            yield from ((batch, extent, longer), (batch, longer, extent))


def _beside_shorter(extent: int, batch: int, requirements: SizeRequirements) -> Iterator[Shape]:
    """Shapes whose longer side is ``extent``."""
    shorter = {extent, requirements.minimum, requirements.up(extent // 2), requirements.up(extent // 16)}
    shorter.add(max(requirements.minimum, extent - requirements.multiple))
    for short in shorter:
        yield from ((batch, short, extent), (batch, extent, short))


def _pixels(shape: Shape) -> tuple[int, Shape]:
    batch, height, width = shape
    return batch * height * width, shape


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."
