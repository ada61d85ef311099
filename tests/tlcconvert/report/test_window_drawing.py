"""Windows on the drawing are those of the definition: clip(p - (k - 1) // 2, 0, H - k), k = min(H, window)."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.tlcconvert.report.made_up import local
from tlcconvert.report.window_drawing import Rectangle, window_drawing

EXTENTS = st.integers(1, 200)


@given(EXTENTS, EXTENTS, EXTENTS, EXTENTS)
def test_every_window_is_that_of_its_pixel(height: int, width: int, rows: int, columns: int) -> None:
    drawing = window_drawing([local(window_in_image=[rows, columns])], [16, 16], [height, width])
    (window,) = drawing.windows
    for (row, column), drawn in ((drawing.middle, window.middle), (drawing.corner, window.corner)):
        high, wide = min(rows, height), min(columns, width)
        top = int(np.clip(row - (high - 1) // 2, 0, height - high))
        left = int(np.clip(column - (wide - 1) // 2, 0, width - wide))
        assert drawn == Rectangle(top, left, high, wide)
        assert top <= row < top + high and left <= column < left + wide
    assert drawing.is_covered == (rows >= height and columns >= width)


def test_sizes_are_counted_and_the_most_frequent_comes_first() -> None:
    sites = [local(window_in_image=size) for size in ([12, 12], [24, 24], [24, 24])]
    drawing = window_drawing(sites, [16, 16])
    assert [(window.height, window.count) for window in drawing.windows] == [(24, 2), (12, 1)]
    assert (drawing.height, drawing.width) == (720, 1280)
