"""The part of docs/benchmarks.md that says which targets are met."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.latency.cells import cell
from benchmarks.latency.files import EXACT_KINDS
from benchmarks.latency.measurement import CONVOLUTION, Row
from benchmarks.latency.subjects import PER_PIXEL
from benchmarks.latency.targets import (
    FLATNESS,
    FLATNESS_WHY,
    GOALS,
    Costs,
    Goal,
    flatness_is_missed,
    growth,
    is_met,
)
from benchmarks.markdown_table import table


def targets(rows: Sequence[Row], per_pixel: Costs) -> str:
    """The table, and under it why the missed ones are missed."""
    lines = [line(goal, row) for goal in GOALS for row in rows if goal.applies_to(row)]
    lines += [flatness(per_pixel, kind) for kind in EXACT_KINDS]
    return f"{table(('', '', 'at most', 'measured', 'met', 'floor'), lines)}\n\n{reasons(rows, per_pixel)}"


def line(goal: Goal, row: Row) -> list[str]:
    return cells(goal.what, row.subject.name, goal.limit, goal.measured(row), goal.floor(row))


def flatness(per_pixel: Costs, kind: str) -> list[str]:
    measured, floor = growth(per_pixel, kind), growth(per_pixel, CONVOLUTION)
    return cells(f"{kind}, largest / smallest cost of a pixel", PER_PIXEL.name, FLATNESS, measured, floor)


def cells(what: str, network: str, limit: float, measured: float | None, floor: float | None) -> list[str]:
    met = "-" if measured is None else "yes" if is_met(measured, limit) else "**no**"
    return [what, network, cell(limit), cell(measured), met, cell(floor)]


def reasons(rows: Sequence[Row], per_pixel: Costs) -> str:
    """An item for each target that a network misses."""
    items = []
    for goal in GOALS:
        names = [row.subject.name for row in rows if goal.applies_to(row) and goal.is_missed_by(row)]
        if names:
            items.append(f"- *{goal.what}*, {'; '.join(names)}.\n{goal.why}")
    if flatness_is_missed(per_pixel):
        items.append(f"- *Cost of a pixel.*\n{FLATNESS_WHY}")
    return "\n".join(item.replace("\n", "\n  ") for item in items)
