"""Where a conversion is checked: sizes around the windows, and sizes where nothing may have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tlcconvert import options

Size = tuple[int, int, int]


def bracketing_sizes(window: tuple[int, int]) -> list[Size]:
    """(batch, height, width) below, at and above a window of the given pixels, odd and oblong, batches 1 and 2."""
    height, width = window
    tall, wide = (extent + extent // 4 + 1 | 1 for extent in window)
    sizes = [
        (2, height // 3 | 1, width // 4 | 1),
        (1, height, width),
        (1, tall, wide + 2),
        (2, height // 3 + 1, wide),
        (1, tall, width // 3 + 1),
    ]
    return list(dict.fromkeys(sizes))


def unchanged_sizes(window: tuple[int, int], is_unchanged: Callable[[int, int], bool]) -> list[Size]:
    """(batch, height, width) at which every statistic still covers its whole map; empty where there is none.

    The largest such size of the window's shape, and a small oblong one.
    """
    height, width = window
    for cut in range(min(height, width)):
        if is_unchanged(height - cut, width - cut):
            small = ((height - cut) // 2 + 1, (width - cut) // 3 + 1)
            return [(1, height - cut, width - cut), *([(2, *small)] if is_unchanged(*small) else [])]
    return []


def with_batch(sizes: Iterable[options.Size]) -> list[Size]:
    return [size if len(size) == 3 else (1, *size) for size in sizes]
