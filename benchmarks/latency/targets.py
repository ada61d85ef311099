"""What is to be reached, by which networks, and what keeps a file from it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.latency.files import EXACT_KINDS, GLOBAL, ON_A_CPU, PORTABLE, PREFIX_SUM
from benchmarks.latency.measurement import Row
from benchmarks.latency.memory import FreshProcess

Costs = Mapping[str, Mapping[str, float]]
"""Nanoseconds per pixel, by size of the image and by kind of file."""

FLATNESS = 1.10
"""What the cost per pixel is to be at most at one size, over that at another."""


@dataclass(frozen=True)
class Goal:
    """A ratio that is to be at most ``limit``.

    Attributes:
        networks: what their names begin with.
        processor: what its model begins with.
        measured, floor: of the row of a network; None where it has not been measured.
        why: what keeps a file above the limit, for the networks that miss it.
    """

    what: str
    networks: tuple[str, ...]
    limit: float
    measured: Callable[[Row], float | None]
    floor: Callable[[Row], float | None]
    why: str
    processor: str = ""

    def applies_to(self, row: Row) -> bool:
        return row.subject.name.startswith(self.networks) and row.processor.startswith(self.processor)

    def is_missed_by(self, row: Row) -> bool:
        measured = self.measured(row)
        return measured is not None and not is_met(measured, self.limit)


def is_met(measured: float, limit: float) -> bool:
    """To the two digits that are shown."""
    return round(measured, 2) <= limit


def least_time(row: Row, reference: str) -> float | None:
    """Products of the file for a processor and the least traffic beside them, over the time of ``reference``."""
    if reference not in row.seconds or (row.subject.is_bound_by_memory and row.floors is None):
        return None
    traffic = row.floors.traffic if row.floors else 0
    return (row.products * row.milliseconds(ON_A_CPU) + 1000 * traffic) / row.milliseconds(reference)


def peak(row: Row) -> float:
    """Of tlcconvert's files, the largest, over the global network's."""
    return max(process.peak for process in _ours(row)) / row.processes[GLOBAL].peak


def least_peak(row: Row) -> float | None:
    """The file loaded, its image, and the maps it cannot do without, over the peak of the global network's."""
    loaded = row.processes[ON_A_CPU].loaded
    if loaded is None or row.floors is None:
        return None
    return (loaded + row.floors.maps) / row.processes[GLOBAL].peak


def first_run(row: Row) -> float:
    """Over the third, of tlcconvert's files, the largest."""
    return max(process.first / process.steady for process in _ours(row))


def least_first_run(row: Row) -> float | None:
    """A third run, and the first touch of the maps that the file cannot do without."""
    return None if row.floors is None else 1 + row.floors.touch / row.processes[ON_A_CPU].steady


def growth(costs: Costs, kind: str) -> float | None:
    """Largest over smallest cost of a pixel; None where a size has none."""
    of_kind = [by_kind[kind] for by_kind in costs.values() if kind in by_kind]
    return max(of_kind) / min(of_kind) if of_kind and len(of_kind) == len(costs) else None


def flatness_is_missed(costs: Costs) -> bool:
    measured = [growth(costs, kind) for kind in EXACT_KINDS]
    return any(one is not None and not is_met(one, FLATNESS) for one in measured)


def _ours(row: Row) -> list[FreshProcess]:
    return [process for kind, process in row.processes.items() if kind.startswith(EXACT_KINDS)]


def _time(
    kind: str, reference: str, networks: tuple[str, ...], limit: float, why: str, processor: str = ""
) -> Goal:
    def measured(row: Row) -> float | None:
        return row.ratio(kind, reference)

    floor = functools.partial(least_time, reference=reference)
    return Goal(f"{kind} / {reference}", networks, limit, measured, floor, why, processor)


_NAFNET = """\
A norm over channels needs its mean before it centres and its variance before it scales. In standard operators each of
these steps is one of its own, which reads and writes whole maps; the floor counts none of them."""
_MEANS = """\
The convolutions are the same in both files. The global one averages or normalises in a single operator,
GlobalAveragePool or InstanceNormalization; no standard operator takes statistics over windows, so sums, their
differences, and the maps to scale with are operators of their own. The floor counts none of them."""
_NARROW = """\
With a quarter of the channels a convolution takes a sixteenth of the time and a norm a quarter."""
_WINDOWS = """\
A product takes whole tensors. So each cell, a rectangle the same windows cover, is copied out of query, key and
value, and its result into the map. The floor counts one reading of the maps and one writing of the result; an
operator that copies does both, and a global attention multiplies maps where they are."""
_GATE = """\
The floor reads the map for its first convolution, reads it again to scale it, and writes it. Each operator writes a
tensor for the next, so sums over windows and the gate are written and read as well. Operators broadcast along whole
axes only: a gate that differs from window to window is replicated before it scales."""
_PEAK = """\
The floor counts one product at a time. A file also holds maps for later operators, and onnxruntime keeps what it
allocated in the first run beside the block it plans for the later ones, in every file. Image, gate and result of a
bare SE block exist at once. Inside a network the gate is made a few planes at a time; where the product is the
result, what a loop makes would be copied once more to leave the network."""
_FIRST_RUN = """\
The first touch of a page takes longer than several passes over it. A file of a few passes is thus slow at first
whatever they are; what an addition alone comes to is [below](#memory-and-first-run). The floor counts the maps of
one product or the output. A file also touches what one operator hands to the next: the gate of an SE block, the
cells of an attention core before and after they are put together."""
FLATNESS_WHY = """\
The maps of a small image stay in the caches of the processor and those of a large one do not. A convolution
with an addition, and an addition alone, grow dearer too, without any statistic. Convolutions and what stands
between them pass over whole maps, and what one leaves in the caches is gone before the next begins; of the
largest image, a single plane is larger than the caches."""

_EVERY = ("",)
GOALS = (
    _time(PORTABLE, GLOBAL, ("NAFNet-32",), 0.75, _NAFNET, "AMD"),
    _time(PORTABLE, GLOBAL, ("NAFNet-32",), 0.85, _NAFNET, "Intel"),
    _time(ON_A_CPU, GLOBAL, ("NAFNet-32",), 0.62, _NAFNET, "AMD"),
    _time(ON_A_CPU, GLOBAL, ("NAFNet-32",), 0.75, _NAFNET, "Intel"),
    _time(PORTABLE, GLOBAL, ("HINet, 16",), 1.30, _NARROW),
    _time(PORTABLE, GLOBAL, ("HINet, 64",), 1.05, _MEANS),
    _time(PORTABLE, GLOBAL, ("RCAN", "MPRNet"), 1.00, _MEANS),
    _time(ON_A_CPU, GLOBAL, ("HINet, 64", "RCAN", "MPRNet"), 1.00, _MEANS),
    _time(PORTABLE, GLOBAL, ("Restormer",), 0.90, _WINDOWS),
    _time(PORTABLE, GLOBAL, ("attention core",), 1.60, _WINDOWS),
    _time(ON_A_CPU, GLOBAL, ("attention core",), 1.30, _WINDOWS),
    _time(PORTABLE, PREFIX_SUM, ("SE block",), 0.30, _GATE),
    _time(ON_A_CPU, PREFIX_SUM, ("SE block",), 0.25, _GATE),
    Goal("peak memory / global", _EVERY, 1.10, peak, least_peak, _PEAK),
    Goal("first / third run", _EVERY, 1.50, first_run, least_first_run, _FIRST_RUN),
)
