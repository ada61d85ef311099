"""What a file computes from sizes alone is found, and what it computes from pixels is not."""

from __future__ import annotations

from benchmarks.matrices_of_sizes import computed, floats_of_sizes, written
from passes.statistics import OPERATORS
from tests.operator_calls import name_of

BY_NAME = {name_of(operator): operator for operator in OPERATORS}
SIZE = (60, 72)


def shapes(name: str, window: int) -> list[tuple[int, ...]]:
    model = written(BY_NAME[name], window)
    return [array.shape for array in computed(model, floats_of_sizes(model, name), SIZE).values()]


def test_matrices_that_spread_a_grid_have_a_row_per_pixel() -> None:
    found = shapes("grid_spread", 24)
    assert {shape[0] for shape in found if len(shape) == 2} >= set(SIZE)


def test_nothing_of_a_mean_is_as_large_as_a_map() -> None:
    assert all(shape[-2:] != SIZE for shape in shapes("local_mean", 24))


def test_a_maximum_is_of_pixels_alone() -> None:
    assert shapes("local_max", 24) == []
