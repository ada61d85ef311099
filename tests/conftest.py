"""Options and limits shared by all tests."""

from __future__ import annotations

import pytest
import torch

torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slice", metavar="K/N", help="run every N-th collected test, beginning with number K")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = config.getoption("--slice")
    if chosen:
        first, step = (int(number) for number in chosen.split("/"))
        kept = items[first::step]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
