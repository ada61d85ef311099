"""Positions of crops: aligned, inside, different, and always the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tlcconvert.diagnosis.crops import crop_positions

SIZES = st.integers(1, 200)


@given(st.tuples(SIZES, SIZES), st.tuples(SIZES, SIZES), st.integers(1, 64), st.integers(1, 40))
def test_crops_are_aligned_inside_and_different(
    more: tuple[int, int], crop: tuple[int, int], alignment: int, count: int
) -> None:
    size = crop[0] + more[0] - 1, crop[1] + more[1] - 1
    positions = crop_positions(size, crop, alignment, count)
    possible = [
        (top, left)
        for top in range(0, size[0] - crop[0] + 1, alignment)
        for left in range(0, size[1] - crop[1] + 1, alignment)
    ]
    assert len(set(positions)) == len(positions) == min(count, len(possible))
    assert set(positions) <= set(possible)
    assert list(positions) == sorted(positions)
    assert positions == crop_positions(size, crop, alignment, count)


def test_they_are_all_over_the_image() -> None:
    positions = crop_positions((1024, 2048), (64, 64), 8, 64)
    rows, columns = zip(*positions, strict=True)
    assert min(rows) < 200 < 760 < max(rows)
    assert min(columns) < 300 < 1680 < max(columns)
