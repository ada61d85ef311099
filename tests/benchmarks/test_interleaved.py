"""Rivals take turns, and a ratio is taken within a turn."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.interleaved import fastest, interleaved_seconds, median_ratio, seconds_one_at_a_time


def test_every_round_runs_each_rival_once_and_starts_with_another() -> None:
    order: list[str] = []
    rivals = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = interleaved_seconds(rivals, repeats=3)
    assert "".join(order) == "abcbcacababcbca"
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_round_slowed_down_as_a_whole_does_not_change_the_ratio() -> None:
    assert median_ratio([2.0, 20.0, 2.2, 30.0], [1.0, 10.0, 1.1, 10.0]) == pytest.approx(2.0)


class Rival:
    """Advances a clock by its next duration in every run; counts how many are alive."""

    alive = most_alive = 0

    def __init__(self, ticks: list[float], durations: list[float]) -> None:
        self.ticks, self.durations = ticks, iter(durations)
        Rival.alive += 1
        Rival.most_alive = max(Rival.most_alive, Rival.alive)

    def __call__(self) -> None:
        self.ticks.append(next(self.durations))

    def __del__(self) -> None:
        Rival.alive -= 1


def test_large_rivals_are_alive_one_at_a_time_and_their_third_runs_are_timed() -> None:
    Rival.most_alive = 0
    ticks: list[float] = []
    makers: dict[str, Callable[[], Callable[[], object]]] = {
        "a": lambda: Rival(ticks, [9.0, 9.0, 1.0]),
        "b": lambda: Rival(ticks, [9.0, 9.0, 2.0]),
    }
    assert seconds_one_at_a_time(makers, 3, lambda: sum(ticks)) == {"a": [1.0] * 3, "b": [2.0] * 3}
    assert (Rival.most_alive, Rival.alive) == (1, 0)


def test_the_fastest_is_found_by_third_runs_of_those_that_run() -> None:
    ticks: list[float] = []
    makers: dict[str, Callable[[], Callable[[], object]]] = {
        "slow": lambda: Rival(ticks, [1.0, 1.0, 3.0]),
        "fast": lambda: Rival(ticks, [9.0, 9.0, 2.0]),
        "broken": lambda: Rival(ticks, []),
    }
    assert fastest(makers, lambda: sum(ticks)) == "fast"
    assert fastest({"broken": makers["broken"]}) is None
