"""No file of a random network is silently wrong: it is right beyond its windows, or the network is refused by name.

A failure prints the seed and the command that judges it alone and leaves out blocks that do not matter.
"""

from __future__ import annotations

import pytest
import torch

from tests.fuzz.judge import Outcome, judged
from tests.fuzz.random_network import RandomNetwork

SEEDS, SLICE = 300, 20
MOST_REFUSED = 0.1
"""Of a slice: a fuzzer whose networks are refused proves nothing."""


def _judge(seeds: range) -> None:
    found = [judged(seed) for seed in seeds]
    print(*found, sep="\n")
    unproven = [judgement for judgement in found if judgement.outcome is not Outcome.RIGHT]
    bad = [judgement for judgement in unproven if judgement.outcome is not Outcome.REFUSED]
    assert not bad, "\n".join(map(str, bad))
    assert len(unproven) <= MOST_REFUSED * len(seeds), "\n".join(map(str, unproven))


@pytest.mark.parametrize("seeds", [range(5), pytest.param(range(5, SLICE), marks=pytest.mark.full)])
def test_files_of_twenty_random_networks_are_right(seeds: range) -> None:
    _judge(seeds)


@pytest.mark.full
@pytest.mark.parametrize("first", range(SLICE, SEEDS, 20))
def test_files_of_three_hundred_random_networks_are_right(first: int) -> None:
    _judge(range(first, first + 20))


def test_a_network_is_known_by_its_seed() -> None:
    first, second = (RandomNetwork(7) for _ in range(2))
    assert str(first) == str(second)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert str(RandomNetwork(8)) != str(first)


@pytest.mark.parametrize("seed", range(40))
def test_every_network_runs_on_multiples_of_its_factor(seed: int) -> None:
    network = RandomNetwork(seed)
    factor = 2**network.levels
    with torch.no_grad():
        result = network(
            torch.rand(1, 3, 3 * factor + 64 // factor * factor, 2 * factor + 64 // factor * factor)
        )
    assert bool(result.isfinite().all())
