"""Only the thread that builds a network from a file is bounded by it."""

from __future__ import annotations

import threading

import pytest
from torch import nn

from tlcconvert.load.bounded_construction import TooManyWeights, bounded_construction


def many_modules() -> nn.ModuleList:
    return nn.ModuleList(nn.ReLU() for _ in range(1200))


def test_a_network_of_far_more_modules_than_its_file_has_tensors_is_not_built() -> None:
    with (
        bounded_construction(tensors=1),
        pytest.raises(TooManyWeights, match="far more modules than the 1 tensors"),
    ):
        many_modules()


def test_another_thread_builds_what_it_likes_meanwhile() -> None:
    built: list[int] = []
    with bounded_construction(tensors=1):
        other = threading.Thread(target=lambda: built.append(len(many_modules())))
        other.start()
        other.join()
        assert len(nn.ModuleList(nn.ReLU() for _ in range(900))) == 900
    assert built == [1200]
