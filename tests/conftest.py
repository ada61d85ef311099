"""Options and limits shared by all tests."""

from __future__ import annotations

import pytest
import torch

from tlcconvert.verification import sizes

torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    """Default tests convert hundreds of small networks: their sizes end at 256x384. The full proofs reach further."""
    if config.getoption("markexpr") == "not full":
        sizes.BUDGET = 4 * 10**9


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slice", metavar="K/N", help="run every N-th collected test, beginning with number K")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = config.getoption("--slice")
    if chosen:
        first, step = (int(number) for number in chosen.split("/"))
        kept = items[first::step]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
