"""Rivals take turns, and a ratio is taken within a turn."""

from __future__ import annotations

import pytest

from benchmarks.interleaved import interleaved_seconds, median_ratio


def test_every_round_runs_each_rival_once_and_starts_with_another() -> None:
    order: list[str] = []
    rivals = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = interleaved_seconds(rivals, repeats=3)
    assert "".join(order) == "abcbcacababc"
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_round_slowed_down_as_a_whole_does_not_change_the_ratio() -> None:
    assert median_ratio([2.0, 20.0, 2.2, 30.0], [1.0, 10.0, 1.1, 10.0]) == pytest.approx(2.0)
