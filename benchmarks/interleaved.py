"""Timing on a machine that does other things too: rivals take turns, and are compared turn by turn."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence

_WARM_UP = 2


def interleaved_seconds(
    rivals: Mapping[str, Callable[[], object]],
    repeats: int,
    advance: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each rival in each of ``repeats`` rounds, after two rounds that are not counted.

    onnxruntime plans its memory after the first run and touches it for the first time in the second.

    Each round runs every rival once and starts with another one, so that none always follows the same.
    ``advance`` is called after each round. ``clock`` is the wall's by default.
    """
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    names = list(rivals)
    for turn in range(_WARM_UP + repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            rivals[name]()
            seconds[name].append(clock() - start)
        advance()
    return {name: times[_WARM_UP:] for name, times in seconds.items()}


def seconds_one_at_a_time(
    rivals: Mapping[str, Callable[[], Callable[[], object]]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each rival in each of ``repeats`` rounds, where no two of them fit into memory together.

    In every turn a rival is made anew, timed in its third run, and released.
    """
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(repeats):
        for name, make in rivals.items():
            seconds[name].append(_third_run(make(), clock))
    return seconds


def fastest(
    rivals: Mapping[str, Callable[[], Callable[[], object]]],
    clock: Callable[[], float] = time.perf_counter,
) -> str | None:
    """By the third run of each, one rival in memory at a time; None if not one of them runs."""
    seconds = {}
    for name, make in rivals.items():
        try:
            seconds[name] = _third_run(make(), clock)
        except Exception as error:
            print(f"{name} does not run: {error}", file=sys.stderr)
    return min(seconds, key=lambda name: seconds[name], default=None)


def _third_run(run: Callable[[], object], clock: Callable[[], float]) -> float:
    for _ in range(_WARM_UP):
        run()
    start = clock()
    run()
    return clock() - start


def median_ratio(seconds: Sequence[float], reference: Sequence[float]) -> float:
    """Median over the rounds of ``seconds`` over ``reference`` in the same round."""
    return statistics.median(own / other for own, other in zip(seconds, reference, strict=True))
