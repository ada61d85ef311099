"""Windows drawn to scale on an image: two pixels, and what a statistic at each of them is taken over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tlcconvert.output.report_schema import LocalStatistic

_OUTLINE = (720, 1280)


@dataclass(frozen=True)
class Rectangle:
    """In pixels of the image."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class DrawnWindow:
    """One size of window.

    Attributes:
        height, width: in pixels of the image.
        count: statistics that have it.
        middle, corner: the window of the pixel in the middle, and of one in the corner, which is shifted inside.
    """

    height: int
    width: int
    count: int
    middle: Rectangle
    corner: Rectangle


@dataclass(frozen=True)
class WindowDrawing:
    """An image and the windows on it, the most frequent size first.

    Attributes:
        crop: the training crop, in the middle.
        middle, corner: row and column of the two pixels.
        is_covered: whether every window is as large as the image, so that the statistics are those of the whole.
    """

    height: int
    width: int
    crop: Rectangle
    middle: tuple[int, int]
    corner: tuple[int, int]
    windows: Sequence[DrawnWindow]
    is_covered: bool


def window_drawing(
    sites: Sequence[LocalStatistic], train_size: Sequence[int], size: Sequence[int] = _OUTLINE
) -> WindowDrawing:
    """The windows of ``sites`` on an image of ``size``, height and width in pixels."""
    height, width = size
    counted = Counter(tuple(site["window_in_image"]) for site in sites)
    (rows, columns), _ = counted.most_common(1)[0]
    middle, corner = (height // 2, width // 2), (min(rows, height) // 6, min(columns, width) // 6)
    windows = [
        DrawnWindow(
            rows,
            columns,
            count,
            _around(middle, (rows, columns), size),
            _around(corner, (rows, columns), size),
        )
        for (rows, columns), count in counted.most_common()
    ]
    return WindowDrawing(
        height,
        width,
        _around(middle, train_size, size),
        middle,
        corner,
        windows,
        all(window.height >= height and window.width >= width for window in windows),
    )


def _around(pixel: Sequence[int], window: Sequence[int], size: Sequence[int]) -> Rectangle:
    """The window of a pixel: around it, shifted so that it is inside the image, and no larger than that."""
    height, width = (min(extent, whole) for extent, whole in zip(window, size, strict=True))
    top = min(max(pixel[0] - (height - 1) // 2, 0), size[0] - height)
    left = min(max(pixel[1] - (width - 1) // 2, 0), size[1] - width)
    return Rectangle(top, left, height, width)
