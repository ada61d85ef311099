"""Fields that take more than they keep."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, dataclass, fields, replace

import pytest

from tlcconvert.options.given import Given


def as_pair(side: int | tuple[int, int]) -> tuple[int, int]:
    return (side, side) if isinstance(side, int) else side


@dataclass(frozen=True)
class Tile:
    size: Given[int | tuple[int, int], tuple[int, int]] = Given(8, as_pair)
    names: Given[Sequence[str], tuple[str, ...]] = Given((), tuple)


def test_what_is_given_is_kept_in_one_form() -> None:
    assert Tile(3).size == (3, 3)
    assert Tile(names=["a", "b"]).names == ("a", "b")
    assert Tile(3, ["a"]) == Tile((3, 3), ("a",))
    assert hash(Tile(3, ["a"])) == hash(Tile((3, 3), ("a",)))


def test_a_default_is_as_a_caller_would_give_it_and_kept_like_it() -> None:
    assert [field.default for field in fields(Tile)] == [8, ()]
    assert Tile() == Tile(8)
    assert Tile().size == (8, 8)


def test_instances_keep_their_own_values() -> None:
    one, other = Tile(1), Tile(2)
    assert (one.size, other.size) == ((1, 1), (2, 2))
    assert replace(one, names=["c"]) == Tile(1, ["c"])
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one


def test_a_frozen_dataclass_stays_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Tile().size = 4  # type: ignore[misc]
