"""Timing on a machine that does other things too: rivals take turns, and are compared turn by turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def interleaved_seconds(
    rivals: Mapping[str, Callable[[], object]],
    repeats: int,
    advance: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each rival in each of ``repeats`` rounds, after one round that is not counted.

    Each round runs every rival once and starts with another one, so that none always follows the same.
    ``advance`` is called after each round. ``clock`` is the wall's by default.
    """
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    names = list(rivals)
    for turn in range(repeats + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            rivals[name]()
            seconds[name].append(clock() - start)
        advance()
    return {name: times[1:] for name, times in seconds.items()}


def median_ratio(seconds: Sequence[float], reference: Sequence[float]) -> float:
    """Median over the rounds of ``seconds`` over ``reference`` in the same round."""
    return statistics.median(own / other for own, other in zip(seconds, reference, strict=True))
