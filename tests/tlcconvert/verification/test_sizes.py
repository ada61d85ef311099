"""Sizes of the verification bracket the windows and never claim equality where there is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tlcconvert.verification.sizes import bracketing_sizes, unchanged_sizes

windows = st.tuples(st.integers(1, 600), st.integers(1, 600))


@given(windows)
def test_sizes_lie_below_at_and_above_the_window_with_two_batches(window: tuple[int, int]) -> None:
    sizes = bracketing_sizes(window)
    assert (1, *window) in sizes
    assert any(height > window[0] and width > window[1] for _, height, width in sizes)
    assert any(height > window[0] and width <= window[1] for _, height, width in sizes)
    assert any(height <= window[0] and width > window[1] for _, height, width in sizes)
    assert {batch for batch, _, _ in sizes} == {1, 2}
    assert all(height >= 1 and width >= 1 for _, height, width in sizes)


@given(windows, st.integers(1, 700))
def test_only_sizes_that_change_nothing_are_compared_with_the_original(
    window: tuple[int, int], limit: int
) -> None:
    def is_unchanged(height: int, width: int) -> bool:
        return max(height, width) <= limit

    for _, height, width in unchanged_sizes(window, is_unchanged):
        assert is_unchanged(height, width)


def test_a_network_without_such_a_size_gets_none() -> None:
    assert unchanged_sizes((48, 48), lambda height, width: False) == []
