"""A formula of the extents is the one that made them, at sizes it was not fitted to."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tlcconvert.sizes.output_extents import Extent, Extents, fitted

_FAR = (90_090_000, 180_180_001, 270_270_002)


@given(
    times=st.integers(1, 40),
    over=st.integers(1, 16),
    plus=st.integers(-200, 200),
    rounding=st.sampled_from([math.floor, math.ceil]),
    step=st.sampled_from([1, 1, 2, 8]),
    shift=st.integers(-30, 30),
    multiple=st.sampled_from([1, 2, 3, 8]),
)
@settings(max_examples=150, deadline=None)
def test_any_floor_or_ceil_is_found_and_right_at_other_sizes(
    times: int, over: int, plus: int, rounding: object, step: int, shift: int, multiple: int
) -> None:
    def length(pixels: int) -> int:
        exact = times * pixels + plus
        rounded = exact // over if rounding is math.floor else -(-exact // over)
        return step * rounded + shift

    fitted_at = [multiple * count for count in (*range(1, 40), *_FAR)]
    found = fitted({pixels: length(pixels) for pixels in fitted_at})
    assert found is not None
    for pixels in (multiple * count for count in (*range(40, 200), 720, 1280, 1_000_003)):
        assert found(pixels) == length(pixels)


@pytest.mark.parametrize(
    ("length", "formula"),
    [
        (lambda n: n, "height"),
        (lambda n: 4 * n, "4 * height"),
        (lambda n: 2 * (n - 14), "2 * height - 28"),
        (lambda n: 3 * n // 2, "floor(3 * height / 2)"),
        (lambda n: -(-n // 2), "floor((height + 1) / 2)"),
        (lambda n: (n + 2) // 4, "floor((height + 2) / 4)"),
        (lambda n: n // 8 * 8, "8 * floor(height / 8)"),
        (lambda n: n // 8 * 8 - 14, "8 * floor((height - 16) / 8) + 2"),
        (lambda n: math.floor(n * 1.7), "floor(17 * height / 10)"),
        (lambda n: math.floor(n * 0.3333), "floor(3333 * height / 10000)"),
    ],
)
def test_a_formula_reads_as_people_write_it(length: object, formula: str) -> None:
    assert callable(length)
    found = fitted({pixels: length(pixels) for pixels in (*range(1, 40), *_FAR)})
    assert found is not None
    assert found.formula("height") == formula


def test_an_extent_that_stops_growing_has_no_formula_or_one_without_the_image() -> None:
    sizes = (*range(1, 40), *_FAR)
    assert fitted({pixels: min(pixels, 96) for pixels in sizes}) is None
    assert fitted({pixels: math.isqrt(pixels) for pixels in sizes}) is None
    fixed = fitted(dict.fromkeys(sizes, 64))
    assert fixed is not None
    assert fixed.times == 0


@given(multiple=st.integers(1, 16), times=st.integers(1, 8), over=st.integers(1, 4))
def test_where_the_network_takes_multiples_only_other_sizes_get_the_pixels_inside_the_image(
    multiple: int, times: int, over: int
) -> None:
    """A row of the output covers ``over / times`` rows of the image; one that reaches past it is not counted."""
    assume(multiple * times % over == 0)
    lengths = {multiple * count: multiple * count * times // over for count in (*range(1, 40), *_FAR)}
    found = fitted(lengths)
    assert found is not None
    for pixels in range(1, 60):
        rows = found(pixels)
        assert rows * over <= pixels * times < (rows + 1) * over


def test_a_scale_is_a_whole_number_along_both_axes_and_nothing_else() -> None:
    assert Extents(Extent(2), Extent(2)).scale == 2
    for height in (Extent(3), Extent(2, -28), Extent(3, 0, 2), Extent(1, 0, 8, 8)):
        assert Extents(height, Extent(2)).scale is None
        assert Extents(height, height).scale == (3 if height == Extent(3) else None)
